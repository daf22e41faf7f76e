package keystore

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
)

// keychain is the Keychain of macOS, by its program security(1): the items that this
// program has made, as dotenvx's, are readable without a question.
type keychain struct{ program string }

func (keychain) name() string                { return "Keychain" }
func (keychain) limit() time.Duration        { return 0 }
func (keychain) close()                      {}
func (keychain) ready(context.Context) error { return nil }

// Exit statuses of security(1), the low byte of Security.framework's codes.
const (
	notFound   = 44 // errSecItemNotFound
	noQuestion = 36 // errSecInteractionNotAllowed
)

// run runs the program. Its messages are not shown: they may hold anything.
func (k keychain) run(ctx context.Context, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.program, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.WaitDelay = patience
	out, err := cmd.Output()
	exit := (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == notFound:
		return "", errAbsent
	case errors.As(err, &exit) && exit.ExitCode() == noQuestion:
		return "", ErrLocked
	case errors.As(err, &exit):
		return "", fmt.Errorf("failed: security had status %d", exit.ExitCode())
	case err != nil:
		return "", ErrUnavailable
	}
	return string(out), nil
}

func (k keychain) get(ctx context.Context, public string) (secret.Value, error) {
	out, err := k.run(ctx, "", "find-generic-password", "-s", service, "-a", public, "-w")
	return secret.New(strings.TrimSpace(out)), err
}

// put passes the key on standard input: arguments are visible to all.
func (k keychain) put(ctx context.Context, public string, key secret.Value, _ time.Duration) error {
	line := fmt.Sprintf("add-generic-password -U -s %s -a %s -j %s -w %s\n", service, public, mark, key.Reveal())
	if _, err := k.run(ctx, line, "-i"); err != nil {
		return err
	}
	// In that mode the status says nothing.
	got, err := k.get(ctx, public)
	if err == nil && !got.Equal(key) {
		err = errors.New("failed: it did not keep the key")
	}
	return err
}

// made tells by the comment.
func (k keychain) made(ctx context.Context, public string) bool {
	out, err := k.run(ctx, "", "find-generic-password", "-s", service, "-a", public)
	return err == nil && strings.Contains(out, `"icmt"<blob>="`+mark+`"`)
}

func (k keychain) remove(ctx context.Context, public string) error {
	_, err := k.run(ctx, "", "delete-generic-password", "-s", service, "-a", public)
	return err
}
