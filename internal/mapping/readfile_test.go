package mapping_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/mapping"
)

func inUTF16(text string) []byte {
	data := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		data = append(data, byte(u), byte(u>>8))
	}
	return data
}

func TestReadEnvFile(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	tests := []struct {
		name    string
		data    []byte
		wantErr func(error) bool // nil: none
	}{
		{name: "plaintext", data: []byte("A=1\n")},
		{name: "encrypted", data: locked(t, newKey(t), "A=1\n", nil).Bytes()},
		{name: "empty", data: []byte{}},
		{name: "what is no assignment", data: []byte("API KEY: x\n")},
		{name: "a byte order mark, CRLF", data: []byte("\ufeffA=1\r\n")},
		{name: "a private key's name without a key", data: []byte("DOTENV_PRIVATE_KEY=\n")},
		{name: "a private key", data: []byte("A=1\nDOTENV_PRIVATE_KEY_CI=" + hex + "\n"), wantErr: isErr(mapping.ErrKeysFile)},
		{name: "a private key in a comment", data: []byte("# DOTENV_PRIVATE_KEY=" + hex + "\n"), wantErr: isErr(mapping.ErrKeysFile)},
		{name: "a private key in UTF-16", data: inUTF16("DOTENV_PRIVATE_KEY=" + hex + "\n"), wantErr: isErr(mapping.ErrKeysFile)},
		{name: "Latin-1", data: []byte("A=1\nB=caf\xe9\n"), wantErr: isEncodingError(2)},
		{name: "NUL", data: []byte("A=1\x00\n"), wantErr: isEncodingError(1)},
		{name: "UTF-16", data: inUTF16("A=1\n"), wantErr: isEncodingError(1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			read, err := mapping.ReadEnvFile(fstest.MapFS{"a/.env": {Data: tt.data}}, "a/.env")
			parsed, perr := mapping.ParseEnvFile("a/.env", tt.data)
			for _, got := range []struct {
				call string
				doc  *dotenv.Document
				err  error
			}{{"ReadEnvFile", read, err}, {"ParseEnvFile", parsed, perr}} {
				if tt.wantErr == nil {
					if got.err != nil || !bytes.Equal(got.doc.Bytes(), tt.data) {
						t.Errorf("%s(%q) = %v, %v; want the document", got.call, tt.data, got.doc, got.err)
					}
					continue
				}
				e := (*fs.PathError)(nil)
				if got.doc != nil || !tt.wantErr(got.err) || !errors.As(got.err, &e) || e.Op != "read" || e.Path != "a/.env" {
					t.Errorf("%s = %v, %v; want no document and the reason with the path", got.call, got.doc, got.err)
				}
				if strings.Contains(got.err.Error(), hex) {
					t.Errorf("%s = %v; want no key in the text", got.call, got.err)
				}
			}
		})
	}
}

func TestReadEnvFileReportsReadErrors(t *testing.T) {
	t.Parallel()
	if doc, err := mapping.ReadEnvFile(fstest.MapFS{}, ".env"); doc != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadEnvFile of no file = %v, %v; want %v", doc, err, fs.ErrNotExist)
	}
}

func isErr(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func isEncodingError(line int) func(error) bool {
	return func(err error) bool {
		e := (*dotenv.EncodingError)(nil)
		return errors.As(err, &e) && e.Line == line
	}
}
