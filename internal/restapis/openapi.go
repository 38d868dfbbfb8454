package restapis

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

// maxDefinition is the size of the largest definition of an API that can be imported, in bytes: AWS's 6 MB.
const maxDefinition = 6 << 20

// MaxBody is the size of the largest body of an operation's request, in bytes; 0 leaves it to the wire.
func MaxBody(operation string) int64 {
	switch operation {
	case "ImportRestApi", "PutRestApi", "ImportDocumentationParts", "ImportApiKeys":
		return maxDefinition
	}
	return 0
}

// The names of AWS's extensions of OpenAPI.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
const (
	xAnyMethod      = "x-amazon-apigateway-any-method"
	xAPIKeySource   = "x-amazon-apigateway-api-key-source"
	xAuth           = "x-amazon-apigateway-auth"
	xAuthorizer     = "x-amazon-apigateway-authorizer"
	xAuthType       = "x-amazon-apigateway-authtype"
	xBinary         = "x-amazon-apigateway-binary-media-types"
	xDocumentation  = "x-amazon-apigateway-documentation"
	xEndpoint       = "x-amazon-apigateway-endpoint-configuration"
	xResponses      = "x-amazon-apigateway-gateway-responses"
	xIntegration    = "x-amazon-apigateway-integration"
	xMinCompression = "x-amazon-apigateway-minimum-compression-size"
	xPolicy         = "x-amazon-apigateway-policy"
	xValidator      = "x-amazon-apigateway-request-validator"
	xValidators     = "x-amazon-apigateway-request-validators"
	xTagValue       = "x-amazon-apigateway-tag-value"
)

// parseDocument reads JSON or YAML.
func parseDocument(body []byte) (map[string]any, error) {
	if len(body) > maxDefinition {
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

// object, list and text take a member of an object; what has another type is absent.

func object(m map[string]any, name string) map[string]any {
	v, _ := m[name].(map[string]any)
	return v
}

func list(m map[string]any, name string) []any {
	v, _ := m[name].([]any)
	return v
}

func text(m map[string]any, name string) string {
	switch v := m[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func optText(m map[string]any, name string) *string { return opt(text(m, name)) }

func boolean(m map[string]any, name string) *bool {
	switch v := m[name].(type) {
	case bool:
		return &v
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return &b
		}
	}
	return nil
}

func integer(m map[string]any, name string) *int64 {
	if n, err := strconv.ParseInt(text(m, name), 10, 64); err == nil {
		return &n
	}
	return nil
}

// texts takes a list of strings.
func texts(m map[string]any, name string) []string {
	var out []string
	for _, v := range list(m, name) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// textMap takes an object of strings; other scalars and whole templates become text.
func textMap(m map[string]any, name string) map[string]string {
	src := object(m, name)
	if src == nil {
		return nil
	}
	out := make(map[string]string, len(src))
	for k, v := range src {
		switch v := v.(type) {
		case map[string]any, []any:
			out[k] = toJSON(v)
		case nil:
			out[k] = ""
		default:
			out[k] = text(src, k)
		}
	}
	return out
}

// toJSON writes a value as JSON, as it was.
func toJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}
