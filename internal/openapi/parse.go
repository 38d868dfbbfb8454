package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
)

// MaxSize is the size of the largest document that can be imported, in bytes: AWS's 6 MB.
const MaxSize = 6 << 20

// Parse reads an object of JSON or YAML.
func Parse(body []byte) (map[string]any, error) {
	if len(body) > MaxSize {
		return nil, errors.New("the document is larger than 6 MB")
	}
	var v any
	var err error
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		v, err = schema.Decode(body)
	} else {
		v, err = parseYAML(body)
	}
	if err != nil {
		return nil, err
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("the document is not an object")
	}
	return doc, nil
}

// maxNodes bounds what aliases in YAML may blow a document up to.
const maxNodes = 500_000

type yamlReader struct {
	nodes int
	open  map[*yaml.Node]bool
}

func parseYAML(body []byte) (any, error) {
	var n yaml.Node
	if err := yaml.Load(body, &n); err != nil {
		return nil, err
	}
	return (&yamlReader{open: map[*yaml.Node]bool{}}).value(&n, 0)
}

// value turns a node into what JSON would give. Keys become text, as the 200 of a response must.
func (y *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if y.nodes++; y.nodes > maxNodes || depth > schema.MaxDepth {
		return nil, errors.New("the document is too large or nested too deeply")
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		return y.value(n.Content[0], depth)
	case yaml.AliasNode:
		if y.open[n.Alias] {
			return nil, errors.New("an alias contains itself")
		}
		y.open[n.Alias] = true
		defer delete(y.open, n.Alias)
		return y.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := y.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, c := n.Content[i], n.Content[i+1]
			if k.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: a key must be a scalar", k.Line)
			}
			v, err := y.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			if m, ok := v.(map[string]any); ok && k.Tag == "!!merge" {
				for name, e := range m {
					if _, has := out[name]; !has {
						out[name] = e
					}
				}
				continue
			}
			out[k.Value] = v
		}
		return out, nil
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return nil, nil
		case "!!bool":
			return strings.EqualFold(n.Value, "true"), nil
		case "!!int", "!!float":
			if json.Valid([]byte(n.Value)) {
				return json.Number(n.Value), nil
			}
			if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
				return json.Number(strconv.FormatInt(i, 10)), nil
			}
		}
		return n.Value, nil
	}
	return nil, nil
}
