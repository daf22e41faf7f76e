package dotenv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf16"
)

// ErrUTF16 reports UTF-16 text with a byte order mark, as PowerShell writes it.
// [ToUTF8] converts it. It is an [*EncodingError].
var ErrUTF16 error = &EncodingError{1, "is UTF-16, not UTF-8"}

// ToUTF8 returns UTF-16 text with a byte order mark as UTF-8 without one. It
// fails if data is no such text, or if something would be lost.
func ToUTF8(data []byte) ([]byte, error) {
	if !isUTF16(data) {
		return nil, errors.New("is not UTF-16 with a byte order mark")
	}
	order := byteOrder(data)
	text := decodeUTF16(data)
	back := data[:2:2]
	for _, unit := range utf16.Encode([]rune(string(text))) {
		back = order.AppendUint16(back, unit)
	}
	if !slices.Equal(back, data) {
		return nil, &EncodingError{1, "is damaged UTF-16"}
	}
	return text, nil
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF})
}

type endian interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// byteOrder returns the order that the mark at the beginning of data shows.
func byteOrder(data []byte) endian {
	if data[0] == 0xFE {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// decodeUTF16 returns what can be read of UTF-16 text, without its byte order mark.
func decodeUTF16(data []byte) []byte {
	order := byteOrder(data)
	var units []uint16
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return []byte(string(utf16.Decode(units)))
}
