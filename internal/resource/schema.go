package resource

import (
	"fmt"
	"sort"
	"strings"
)

// Kind is the primitive form of a property.
type Kind uint8

const (
	String Kind = iota + 1
	Integer
	Number
	Boolean
	Timestamp
	JSON // a map, a list, or text that holds one
	List
	Map
	Structure
)

// Replace says what a change of a property does.
type Replace uint8

const (
	Never       Replace = iota // updated in place
	Conditional                // the handler decides
	Always                     // the resource is replaced
)

// String returns the word that change sets use: Never, Conditionally or Always.
func (r Replace) String() string { return [...]string{"Never", "Conditionally", "Always"}[r] }

// Schema describes the properties of a resource type. Schemas are shared; they are never changed.
type Schema struct {
	Name         string
	Properties   map[string]*Property
	Attributes   map[string]*PropertyType // for Fn::GetAtt; a name may end in ".*"
	ID           []string                 // primary identifier: properties or attributes
	Ref          []string                 // what Ref returns, if it is not the whole identifier
	TagsProperty string                   // the property that holds tags, if any
	Open         bool                     // takes any further property and attribute: custom resources
}

// RefParts returns the properties or attributes whose values Ref returns, joined by "|".
func (s *Schema) RefParts() []string {
	if len(s.Ref) > 0 {
		return s.Ref
	}
	return s.ID
}

// Property is a property of a resource or of one of its structures.
type Property struct {
	Name     string
	Type     *PropertyType
	Required bool
	Replace  Replace
}

// PropertyType is the type of a property.
type PropertyType struct {
	Kind   Kind
	Name   string               // of a structure
	Elem   *PropertyType        // of a list or map
	Fields map[string]*Property // of a structure
}

// String returns the type as documentation writes it: "List of String", "PasswordPolicy".
func (t *PropertyType) String() string {
	switch t.Kind {
	case List:
		return "List of " + t.Elem.String()
	case Map:
		return "Map of " + t.Elem.String()
	case Structure:
		return t.Name
	case JSON:
		return "Json"
	}
	return [...]string{"", "String", "Integer", "Number", "Boolean", "Timestamp"}[t.Kind]
}

func find(name string) (packed string, ok bool) {
	i := sort.Search(len(schemas), func(i int) bool { return schemas[i].name >= name })
	if i == len(schemas) || schemas[i].name != name {
		return "", false
	}
	return schemas[i].packed, true
}

func hasSchema(name string) bool { _, ok := find(name); return ok }

// SchemaSource names the package and version that the schemas were generated from.
func SchemaSource() string { return schemaSource }

// SchemaNames returns the names of all types that have a schema, in order.
func SchemaNames() []string {
	out := make([]string, len(schemas))
	for i := range schemas {
		out[i] = schemas[i].name
	}
	return out
}

// LoadSchema unpacks the schema of a type. A [Registry] keeps what it has unpacked.
func LoadSchema(name string) (*Schema, bool) {
	packed, ok := find(name)
	if !ok {
		return nil, false
	}
	s, err := unpack(name, packed)
	if err != nil {
		panic("resource: schema_gen.go: " + err.Error()) // a test unpacks them all
	}
	return s, true
}

// unpack reads a packed schema: lines "id A,B", "ref A", "tags T", "open", then sections. A
// section begins with ">properties", ">attributes" or ">#TypeName"; its lines are "Name type flags".
func unpack(name, packed string) (*Schema, error) {
	s := &Schema{Name: name}
	types := map[string]*PropertyType{"tag": {Kind: Structure, Name: "Tag", Fields: map[string]*Property{
		"Key":   {Name: "Key", Type: &PropertyType{Kind: String}, Required: true},
		"Value": {Name: "Value", Type: &PropertyType{Kind: String}, Required: true},
	}}}
	section, fields := "", map[string]*Property(nil)
	for line := range strings.SplitSeq(strings.TrimSuffix(packed, "\n"), "\n") {
		if title, ok := strings.CutPrefix(line, ">"); ok {
			section, fields = title, map[string]*Property{}
			switch {
			case section == "properties":
				s.Properties = fields
			case section == "attributes":
				s.Attributes = map[string]*PropertyType{}
			default:
				structure(types, section).Fields = fields
			}
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if section == "" {
			switch word {
			case "id":
				s.ID = strings.Split(rest, ",")
			case "ref":
				s.Ref = strings.Split(rest, ",")
			case "tags":
				s.TagsProperty = rest
			case "open":
				s.Open = true
			default:
				return nil, fmt.Errorf("%s: unknown line %q", name, line)
			}
			continue
		}
		text, flags, _ := strings.Cut(rest, " ")
		t, err := parseType(types, text)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, word, err)
		}
		if section == "attributes" {
			s.Attributes[word] = t
			continue
		}
		p := &Property{Name: word, Type: t}
		for _, f := range flags {
			switch f {
			case '!':
				p.Required = true
			case '~':
				p.Replace = Always
			case '?':
				p.Replace = Conditional
			}
		}
		fields[word] = p
	}
	for ref, t := range types {
		if t.Fields == nil {
			return nil, fmt.Errorf("%s: the type %s is not defined", name, ref)
		}
	}
	return s, nil
}

// structure returns the type with a name "#Name", which may be defined later.
func structure(types map[string]*PropertyType, name string) *PropertyType {
	t := types[name]
	if t == nil {
		t = &PropertyType{Kind: Structure, Name: strings.TrimPrefix(name, "#")}
		types[name] = t
	}
	return t
}

func parseType(types map[string]*PropertyType, text string) (*PropertyType, error) {
	if text == "" {
		return nil, fmt.Errorf("no type")
	}
	switch text[0] {
	case '#':
		return structure(types, text), nil
	case '[', '{':
		elem, err := parseType(types, text[1:len(text)-1])
		kind := List
		if text[0] == '{' {
			kind = Map
		}
		return &PropertyType{Kind: kind, Elem: elem}, err
	}
	switch text {
	case "tag":
		return types["tag"], nil
	case "string":
		return &PropertyType{Kind: String}, nil
	case "integer":
		return &PropertyType{Kind: Integer}, nil
	case "number":
		return &PropertyType{Kind: Number}, nil
	case "boolean":
		return &PropertyType{Kind: Boolean}, nil
	case "timestamp":
		return &PropertyType{Kind: Timestamp}, nil
	case "json":
		return &PropertyType{Kind: JSON}, nil
	}
	return nil, fmt.Errorf("unknown type %q", text)
}
