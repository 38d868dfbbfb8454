package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// humanHandler writes log records as short lines: time, level where it matters, message, attributes.
type humanHandler struct {
	term   *term
	level  slog.Level
	attrs  []slog.Attr
	groups string // "a.b." before the keys
}

func (h *humanHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *humanHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(h.term.dim(r.Time.Local().Format("15:04:05.000")))
	b.WriteByte(' ')
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString(h.term.red("error ") + r.Message)
	case r.Level >= slog.LevelWarn:
		b.WriteString(h.term.yellow("warning ") + r.Message)
	default:
		b.WriteString(r.Message)
	}
	write := func(prefix string, a slog.Attr) {
		if !a.Equal(slog.Attr{}) {
			v := fmt.Sprint(a.Value.Resolve())
			if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r == ' ' || r == '"' || !unicode.IsPrint(r) }) || !utf8.ValidString(v) {
				v = strconv.Quote(v) // it may be anybody's: a terminal must not obey it
			}
			b.WriteString(" " + h.term.dim(prefix+a.Key+"=") + v)
		}
	}
	for _, a := range h.attrs {
		write("", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		write(h.groups, a)
		return true
	})
	b.WriteByte('\n')
	_, err := h.term.Write([]byte(b.String()))
	return err
}

func (h *humanHandler) WithAttrs(as []slog.Attr) slog.Handler {
	n := *h
	n.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, a := range as {
		a.Key = h.groups + a.Key
		n.attrs = append(n.attrs, a)
	}
	return &n
}

func (h *humanHandler) WithGroup(name string) slog.Handler {
	n := *h
	n.groups += name + "."
	return &n
}
