package dotenv_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/dotenv"
)

func asUTF16(order binary.AppendByteOrder, text string) []byte {
	data := order.AppendUint16(nil, 0xFEFF)
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

// What is converted is the text that was meant; what would lose a character is not
// converted.
func FuzzToUTF8(f *testing.F) {
	for _, text := range []string{"", "A=1\r\n", "A=\"ünï 🙂\"\n", "\ufeffA=1", "A=\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			got, err := dotenv.ToUTF8(asUTF16(order, string(text)))
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("ToUTF8(%q in %v) = %q, %v", text, order, got, err)
			}
		}
	})
}

func TestToUTF8(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"UTF-8":            "A=1\n",
		"nothing":          "",
		"half a character": "\xff\xfeA\x00=",
		"half a surrogate": "\xff\xfeA\x00=\x00\x3d\xd8",
		"a lone surrogate": "\xfe\xff\xde\x42\x00\n",
	} {
		if got, err := dotenv.ToUTF8([]byte(data)); err == nil {
			t.Errorf("ToUTF8 of %s = %q; want an error", name, got)
		}
	}
}

// Text in UTF-16 is no env file, whatever its byte order.
func TestCheckUTF16(t *testing.T) {
	t.Parallel()
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		if err := dotenv.Parse(asUTF16(order, "A=1\n")).Check(); !errors.Is(err, dotenv.ErrUTF16) {
			t.Errorf("Check of UTF-16 in %v: %v", order, err)
		}
	}
	key := "DOTENV_PRIVATE_KEY=" + string(bytes.Repeat([]byte("ab"), 32))
	if !dotenv.IsKeysFile(asUTF16(binary.BigEndian, key)) {
		t.Error("a private key in UTF-16 is not noticed")
	}
}
