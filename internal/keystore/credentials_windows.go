package keystore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/danieljoos/wincred"

	"github.com/envdrift/envdrift/internal/secret"
)

func backends(func(string) string) []backend { return []backend{credentials{}} }

// credentials is the Credential Manager of Windows, with the text in UTF-16 as dotenvx
// writes it.
type credentials struct{}

func (credentials) name() string                { return "Credential Manager" }
func (credentials) limit() time.Duration        { return 0 }
func (credentials) close()                      {}
func (credentials) ready(context.Context) error { return nil }

func target(public string) string { return service + ":" + public }

func (credentials) get(_ context.Context, public string) (secret.Value, error) {
	c, err := wincred.GetGenericCredential(target(public))
	if err != nil {
		return secret.Value{}, meaning(err)
	}
	return secret.New(strings.TrimSpace(fromUTF16(c.CredentialBlob))), nil
}

func (credentials) put(_ context.Context, public string, key secret.Value, _ time.Duration) error {
	c := wincred.NewGenericCredential(target(public))
	c.UserName, c.CredentialBlob, c.Persist = public, toUTF16(key.Reveal()), wincred.PersistLocalMachine
	c.Comment = mark
	return meaning(c.Write())
}

func (credentials) made(_ context.Context, public string) bool {
	c, err := wincred.GetGenericCredential(target(public))
	return err == nil && c.Comment == mark
}

func (credentials) remove(_ context.Context, public string) error {
	c, err := wincred.GetGenericCredential(target(public))
	if err == nil {
		err = c.Delete()
	}
	return meaning(err)
}

func meaning(err error) error {
	switch {
	case errors.Is(err, wincred.ErrElementNotFound):
		return errAbsent
	case err != nil:
		return fmt.Errorf("failed: %w", err)
	}
	return nil
}

func toUTF16(text string) (data []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		data = binary.LittleEndian.AppendUint16(data, unit)
	}
	return data
}

func fromUTF16(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}
