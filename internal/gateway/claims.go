package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/token"
)

// claimText writes a claim as AWS hands it to functions: text as it is, anything else as Go prints it, so
// a list is [a b].
func claimText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return fmt.Sprint(v)
}

// claimsCache keeps the claims of verified tokens as they stand in events.
type claimsCache struct {
	write func(name string, v any) string // nil: claimText
	mu    sync.RWMutex
	text  map[*token.Token][]byte
}

const maxClaims = 4096 // tokens in a claimsCache

// of returns {"sub":"…", …}.
func (c *claimsCache) of(t *token.Token) []byte {
	c.mu.RLock()
	b := c.text[t]
	c.mu.RUnlock()
	if b != nil {
		return b
	}
	names := make([]string, 0, len(t.Claims))
	for k := range t.Claims {
		names = append(names, k)
	}
	slices.Sort(names)
	b = []byte{'{'}
	for i, k := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		if c.write != nil {
			b = appendString(b, c.write(k, t.Claims[k]))
		} else {
			b = appendString(b, claimText(t.Claims[k]))
		}
	}
	b = append(b, '}')
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text == nil || len(c.text) >= maxClaims {
		c.text = map[*token.Token][]byte{}
	}
	c.text[t] = b
	return b
}

// restClaim writes a claim as authorizers of REST APIs hand it to functions: all text; times as Java prints
// them, groups in one line, a single linked identity as an object whose values are text.
func restClaim(name string, v any) string {
	switch name {
	case "exp", "iat":
		if n, ok := v.(json.Number); ok {
			if sec, err := n.Int64(); err == nil {
				return time.Unix(sec, 0).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
			}
		}
	}
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			if _, ok := item.(map[string]any); ok {
				b, _ := json.Marshal(item)
				parts[i] = string(b)
				continue
			}
			parts[i] = claimText(item)
		}
		return strings.Join(parts, ",")
	case map[string]any:
		b, _ := json.Marshal(v)
		return string(b)
	}
	return claimText(v)
}
