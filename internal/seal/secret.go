package seal

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "***"

// Secret is a string that must not be shown: it prints as *** under every verb of fmt, in slog, JSON
// and text encodings. It can therefore not be stored by encoding it; seal it. Reflection sees through:
// fmt calls no methods on unexported fields, so a struct that holds one in such a field and may be
// printed needs a String method of its own; and encoding/json writes a map's string keys as they are.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Equal reports whether the secret is v, in a time that depends on their lengths only.
func (s Secret) Equal(v string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(v)) == 1
}

// String returns ***.
func (s Secret) String() string { return redacted }

// GoString returns ***.
func (s Secret) GoString() string { return redacted }

// Format writes ***, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns ***.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns ***; encoding/json and encoding/xml use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
