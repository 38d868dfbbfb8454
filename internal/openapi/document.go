package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Document is an OpenAPI document of version 2.0 or 3.0.
type Document struct {
	Root  map[string]any
	Three bool // OpenAPI 3; otherwise Swagger 2.0
}

// Version is the error for a document of a version that API Gateway does not read.
type Version struct{ Text string } // "" if the document does not say

func (v *Version) Error() string {
	if v.Text == "" {
		return "Invalid OpenAPI input: the document has neither swagger nor openapi"
	}
	return fmt.Sprintf("Unsupported OpenAPI version '%s': only Swagger 2.0 and OpenAPI 3.0 can be imported", v.Text)
}

// Read parses a document and sets in the values of variables, such as AWS::Region, for ${AWS::Region}. The error is a
// *[Version] for a document of another version, anything else for one that is malformed.
func Read(body []byte, variables map[string]string) (*Document, error) {
	root, err := Parse(body)
	if err != nil {
		return nil, err
	}
	d := &Document{Root: root}
	switch {
	case Text(root, "swagger") == "2.0":
	case strings.HasPrefix(Text(root, "openapi"), "3.0"):
		d.Three = true
	default:
		return nil, &Version{Text: Text(root, "swagger") + Text(root, "openapi")}
	}
	if len(variables) > 0 {
		var pairs []string
		for name, value := range variables {
			pairs = append(pairs, "${"+name+"}", value)
		}
		expand(root, strings.NewReplacer(pairs...))
	}
	return d, nil
}

// Variables are what ${…} stands for in documents.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/import-api-aws-variables.html
func Variables(account, region string) map[string]string {
	return map[string]string{"AWS::AccountId": account, "AWS::Partition": "aws", "AWS::Region": region}
}

// expand replaces in all texts below v.
func expand(v any, r *strings.Replacer) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = expand(e, r)
		}
	case []any:
		for i, e := range x {
			x[i] = expand(e, r)
		}
	case string:
		if strings.Contains(x, "${AWS::") {
			return r.Replace(x)
		}
	}
	return v
}

// maxHops is how many references may follow each other.
const maxHops = 20

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// Resolve follows the $ref of an object, if it has one, within the document. The object of no reference is itself.
func (d *Document) Resolve(m map[string]any) (map[string]any, error) {
	for range maxHops {
		ref, ok := m["$ref"].(string)
		if !ok {
			return m, nil
		}
		at, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			return nil, fmt.Errorf("Reference '%s' is not supported: only references within the document are", ref)
		}
		next := d.Root
		for p := range strings.SplitSeq(at, "/") {
			next = Object(next, unescape.Replace(p))
		}
		if next == nil {
			return nil, fmt.Errorf("Reference '%s' cannot be resolved", ref)
		}
		m = next
	}
	return nil, errors.New("References lead in a circle")
}

// BasePath returns what is to stand before all paths, without a slash at its end, by AWS's mode: "ignore" (or ""),
// "prepend", or "split", which leaves the first segment out.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-basePath.html
func (d *Document) BasePath(mode string) (string, error) {
	base := Text(d.Root, "basePath")
	if d.Three {
		base = d.server()
	}
	base = strings.Trim(base, "/")
	switch strings.ToLower(mode) {
	case "", "ignore":
		return "", nil
	case "prepend":
	case "split":
		_, base, _ = strings.Cut(base, "/")
	default:
		return "", fmt.Errorf("Invalid basepath parameter specified: %s. Must be one of: [ignore, prepend, split]", mode)
	}
	if base == "" {
		return "", nil
	}
	return "/" + base, nil
}

// server returns the path of the first server.
func (d *Document) server() string {
	servers := List(d.Root, "servers")
	if len(servers) == 0 {
		return ""
	}
	server, _ := servers[0].(map[string]any)
	address := Text(server, "url")
	for name, v := range Object(server, "variables") {
		m, _ := v.(map[string]any)
		address = strings.ReplaceAll(address, "{"+name+"}", strings.TrimPrefix(Text(m, "default"), "/"))
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

// Endpoint returns the endpoint configuration: of a server, or of the document; nil if there is none.
func (d *Document) Endpoint() map[string]any {
	if e := Object(d.Root, XEndpoint); e != nil || !d.Three {
		return e
	}
	for _, s := range List(d.Root, "servers") {
		if m, ok := s.(map[string]any); ok && Object(m, XEndpoint) != nil {
			return Object(m, XEndpoint)
		}
	}
	return nil
}

// Tags returns the values of the tags that have one; nil if none has.
func (d *Document) Tags() map[string]string {
	var out map[string]string
	for _, t := range List(d.Root, "tags") {
		if m, ok := t.(map[string]any); ok && m[XTagValue] != nil {
			if out == nil {
				out = map[string]string{}
			}
			out[Text(m, "name")] = Text(m, XTagValue)
		}
	}
	return out
}

// SecuritySchemes returns the security schemes by their names.
func (d *Document) SecuritySchemes() map[string]any {
	if d.Three {
		return Object(Object(d.Root, "components"), "securitySchemes")
	}
	return Object(d.Root, "securityDefinitions")
}

// Security returns what an operation asks of its callers: its own list, which may be empty, or else the document's.
func (d *Document) Security(op map[string]any) []any {
	if own, ok := op["security"].([]any); ok {
		return own
	}
	return List(d.Root, "security")
}

// Problems are what is wrong in a document. Errors make an import fail, warnings if that is asked for.
type Problems struct{ Warnings, Errors []string }

// maxProblems bounds each list: nobody reads more, and a document may have hundreds of thousands.
const maxProblems = 100

// Warn notes a warning.
func (p *Problems) Warn(format string, args ...any) { note(&p.Warnings, format, args) }

// Fail notes an error.
func (p *Problems) Fail(format string, args ...any) { note(&p.Errors, format, args) }

func note(list *[]string, format string, args []any) {
	if len(*list) < maxProblems {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
}

// Refusal returns in AWS's words why a document cannot be imported; "" if it can be.
func (p *Problems) Refusal(failOnWarnings bool) string {
	switch {
	case len(p.Errors) > 0:
		return "Errors found during import:\n\t" + strings.Join(p.Errors, "\n\t")
	case failOnWarnings && len(p.Warnings) > 0:
		return "Warnings found during import:\n\t" + strings.Join(p.Warnings, "\n\t")
	}
	return ""
}
