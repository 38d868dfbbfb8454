package shape

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// FormatTime writes a time in one of the model's formats: "epoch-seconds" with milliseconds where
// there are any, "date-time" (RFC 3339, UTC, milliseconds where there are any) or "http-date".
func FormatTime(format string, t time.Time) string {
	t = t.UTC()
	switch format {
	case "epoch-seconds":
		return string(appendEpoch(nil, t))
	case "http-date":
		return t.Format("Mon, 02 Jan 2006 15:04:05 GMT")
	}
	if t.Nanosecond() >= int(time.Millisecond) {
		return t.Format("2006-01-02T15:04:05.000Z")
	}
	return t.Format("2006-01-02T15:04:05Z")
}

// ParseTime reads a time of any of the model's formats, whatever the member's own is, as AWS does.
func ParseTime(s string) (time.Time, bool) {
	if s == "" || len(s) > 64 {
		return time.Time{}, false
	}
	if c := s[0]; c == '-' || c >= '0' && c <= '9' {
		if !strings.ContainsAny(s[1:], "-:T") || strings.Contains(s, "e-") || strings.Contains(s, "E-") {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return time.Time{}, false
			}
			return epoch(f)
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC(), true
			}
		}
		return time.Time{}, false
	}
	for _, layout := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:04:05.000 GMT", time.RFC1123Z, time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// epoch turns seconds into a time of millisecond precision.
func epoch(f float64) (time.Time, bool) {
	if math.IsNaN(f) || f < -62135596800 || f > 253402300799 { // years 1 to 9999
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

func appendEpoch(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
}
