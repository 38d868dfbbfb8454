package assembly

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

// maxTree bounds how deep a template nests.
const maxTree = 200

// jsonTree reads a JSON object into the tree that YAML templates are read into, keys in their order. A
// YAML parser could, but takes many times as long for the big templates that tools write.
func jsonTree(text []byte) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	n, err := tree(d, tok, 0)
	if err != nil {
		return nil, err
	}
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("Template format error: unsupported structure.")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more after the template")
	}
	return n, nil
}

func tree(d *json.Decoder, tok json.Token, depth int) (*yaml.Node, error) {
	if depth > maxTree {
		return nil, fmt.Errorf("the template nests deeper than %d", maxTree)
	}
	switch v := tok.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if v == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for d.More() {
			tok, err := d.Token()
			if err != nil {
				return nil, err
			}
			c, err := tree(d, tok, depth+1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
			if n.Kind == yaml.SequenceNode {
				continue
			}
			if tok, err = d.Token(); err != nil {
				return nil, err
			}
			if c, err = tree(d, tok, depth+1); err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err := d.Token() // the end
		return n, err
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: v.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}
