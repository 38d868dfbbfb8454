package httpapis

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// Mapping changes one parameter of a request on its way to the integration, or of an answer on its way back.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
type Mapping struct {
	Action string // "append", "overwrite", "remove"
	Place  string // "header", "querystring", "path", "statuscode"
	Name   string // of a header, canonical, or of a query parameter
	Value  []Part // joined; of remove, none
}

// Part is text, or where text comes from.
type Part struct {
	Text   string
	Source string         // "" is Text; "header", "querystring", "body", "path", "pathparameter", "context"
	Name   string         // of a header (canonical), a query parameter, a path parameter, a context variable
	Path   *jsonpath.Path // into the body; nil: the whole
}

// Whole tells whether a value is nothing but one source: where that has no value, nothing is changed.
func (m *Mapping) Whole() bool { return len(m.Value) == 1 && m.Value[0].Source != "" }

// maxMapped is the size of a mapping's value.
const maxMapped = 512

// NeedsBody tells whether one of the mappings looks into the body.
func NeedsBody(list []Mapping) bool {
	for i := range list {
		for j := range list[i].Value {
			if list[i].Value[j].Source == "body" {
				return true
			}
		}
	}
	return false
}

var (
	mappingKey  = regexp.MustCompile(`^(append|overwrite|remove):(header|querystring)\.([A-Za-z0-9!#$%&'*+.^_|~-]+)$`)
	bracketed   = regexp.MustCompile(`\$\{([^{}]*)\}`)
	contextName = regexp.MustCompile(`^[A-Za-z0-9._]+$`)
)

// reservedHeaders cannot be mapped; nor can those that begin with one of reservedPrefixes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html#http-api-mapping-reserved-headers
var (
	reservedHeaders = []string{"authorization", "connection", "content-encoding", "content-length", "content-location", "forwarded", "keep-alive", "origin",
		"proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
	reservedPrefixes = []string{"access-control-", "apigw-", "x-amz-", "x-amzn-"}
)

func reserved(header string) bool {
	h := strings.ToLower(header)
	return slices.Contains(reservedHeaders, h) || slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(h, p) })
}

// parseMappings reads the mappings of a request (of is "request") or of an answer ("response"), in a fixed
// order. Stage variables are put in if they are not nil; otherwise they are only checked.
func parseMappings(of string, params map[string]string, variables map[string]string) ([]Mapping, error) {
	var out []Mapping
	for _, key := range slices.Sorted(maps.Keys(params)) {
		m, err := parseMapping(of, key, params[key], variables)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func parseMapping(of, key, value string, variables map[string]string) (m Mapping, err error) {
	switch found := mappingKey.FindStringSubmatch(key); {
	case found != nil && (found[2] == "header" || of == "request"):
		m = Mapping{Action: found[1], Place: found[2], Name: found[3]}
	case key == "overwrite:path" && of == "request", key == "overwrite:statuscode" && of == "response":
		m.Action, m.Place, _ = strings.Cut(key, ":")
	default:
		return m, bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", key)
	}
	if m.Place == "header" {
		if reserved(m.Name) {
			return m, bad("Operations on header %s are restricted", strings.ToLower(m.Name))
		}
		m.Name = http.CanonicalHeaderKey(m.Name)
	}
	if len(value) > maxMapped {
		return m, bad("The value of the mapping %s is longer than %d characters", key, maxMapped)
	}
	if m.Action == "remove" {
		return m, nil
	}
	if m.Value, err = parseValue(of, value, variables); err != nil {
		return m, err
	}
	if m.Place == "statuscode" {
		if n, err := strconv.Atoi(value); m.Value[0].Source == "" && (err != nil || n < 200 || n > 599) {
			return m, bad("Invalid status code specified: %s. It must be between 200 and 599", value)
		}
	}
	return m, nil
}

// parseValue reads the value of a mapping: $request.header.x by itself, any number of ${request.header.x}
// within text, or text.
func parseValue(of, value string, variables map[string]string) ([]Part, error) {
	if strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "${") {
		p, err := parsePart(of, value[1:], variables)
		return []Part{p}, err
	}
	var out []Part
	last := 0
	for _, at := range bracketed.FindAllStringSubmatchIndex(value, -1) {
		if at[0] > last {
			out = append(out, Part{Text: value[last:at[0]]})
		}
		p, err := parsePart(of, value[at[2]:at[3]], variables)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		last = at[1]
	}
	if last < len(value) || len(out) == 0 {
		out = append(out, Part{Text: value[last:]})
	}
	return out, nil
}

// parsePart reads what stands behind a dollar sign.
func parsePart(of, text string, variables map[string]string) (p Part, err error) {
	invalid := func() (Part, error) {
		return Part{}, bad("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: $%s]", text)
	}
	if name, ok := strings.CutPrefix(text, "context."); ok && contextName.MatchString(name) {
		return Part{Source: "context", Name: name}, nil
	}
	if name, ok := strings.CutPrefix(text, "stageVariables."); ok && word(name, "_", 64) {
		return Part{Text: variables[name]}, nil
	}
	rest, ok := strings.CutPrefix(text, of+".")
	if !ok {
		return invalid()
	}
	place, name, named := strings.Cut(rest, ".")
	switch {
	case place == "header" && name != "":
		return Part{Source: "header", Name: http.CanonicalHeaderKey(name)}, nil
	case place == "querystring" && name != "" && of == "request":
		return Part{Source: "querystring", Name: name}, nil
	case place == "path" && of == "request" && !named:
		return Part{Source: "path"}, nil
	case place == "path" && of == "request" && name != "":
		return Part{Source: "pathparameter", Name: name}, nil
	case rest == "body":
		return Part{Source: "body"}, nil
	case strings.HasPrefix(rest, "body.") || strings.HasPrefix(rest, "body["):
		path := "$" + rest[len("body"):]
		if strings.Contains(path, "..") || strings.Contains(path, "?(") {
			return invalid()
		}
		if p.Path, err = jsonpath.Parse(path); err != nil {
			return invalid()
		}
		p.Source = "body"
		return p, nil
	}
	return invalid()
}

// checkMappings checks the mappings of an integration.
func checkMappings(i *integration) error {
	if _, err := parseMappings("request", i.RequestParameters, nil); err != nil {
		return err
	}
	for status, params := range i.ResponseParameters {
		if n, err := strconv.Atoi(status); err != nil || n < 200 || n > 599 {
			return bad("Invalid response parameters key specified: %s. It must be a status code between 200 and 599", status)
		}
		if _, err := parseMappings("response", params, nil); err != nil {
			return err
		}
	}
	return nil
}

// mergeMappings applies an update: an empty value takes a mapping away.
func mergeMappings(to *map[string]map[string]string, from map[string]map[string]string) {
	if from == nil {
		return
	}
	out := maps.Clone(*to)
	if out == nil {
		out = map[string]map[string]string{}
	}
	for status, params := range from {
		one := out[status]
		merge(&one, params)
		if out[status] = one; len(one) == 0 {
			delete(out, status)
		}
	}
	*to = out
}
