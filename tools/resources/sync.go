package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// namespaces are the ones that Gatehouse serves.
var namespaces = []string{
	"AWS::ApiGateway::", "AWS::ApiGatewayV2::", "AWS::CloudFormation::", "AWS::Cognito::", "AWS::IAM::",
	"AWS::Lambda::", "AWS::Logs::", "AWS::S3::", "AWS::SSM::",
	"AWS::ECR::Repository", "AWS::KMS::", // what cdk bootstrap wants
}

// Model is models/resources.json. encoding/json sorts the keys of maps, so the text is stable.
type Model struct {
	Source string                 `json:"source"`
	Types  map[string]*Definition `json:"types"`
}

// Definition is one resource type.
type Definition struct {
	ID         []string                     `json:"id,omitempty"`
	Ref        []string                     `json:"ref,omitempty"`
	Open       bool                         `json:"open,omitempty"` // takes any further property and attribute
	Tags       string                       `json:"tags,omitempty"` // the property that holds tags
	Attributes map[string]string            `json:"attributes,omitempty"`
	Properties map[string]string            `json:"properties"`
	Types      map[string]map[string]string `json:"types,omitempty"`
}

// byHand are types that the database lacks or tells too little of.
var byHand = map[string]*Definition{
	// What the CDK adds to each stack; CloudFormation knows it, no registry describes it.
	"AWS::CDK::Metadata": {Properties: map[string]string{"Analytics": "string"}},
	// Also every type Custom::…; all properties go to the function.
	"AWS::CloudFormation::CustomResource": {
		Open:       true,
		Properties: map[string]string{"ServiceToken": "string ! ~", "ServiceTimeout": "integer"},
	},
}

// byHandAttributes are attributes that Fn::GetAtt serves but the database does not name, with the page
// of each.
var byHandAttributes = map[string]map[string]string{
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html: Outputs.NAME
	"AWS::CloudFormation::Stack": {"Outputs.*": "string"},
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html
	"AWS::CloudFormation::WaitCondition": {"Data": "json"},
}

// The database, as far as it is read.
type database struct {
	Schema struct {
		Resource struct {
			Entities []struct {
				Type       string              `json:"cloudFormationType"`
				ID         []string            `json:"primaryIdentifier"`
				Ref        []string            `json:"cfnRefIdentifier"`
				Properties map[string]property `json:"properties"`
				Attributes map[string]property `json:"attributes"`
				Tags       struct {
					Property string `json:"tagPropertyName"`
				} `json:"tagInformation"`
			} `json:"entities"`
		} `json:"resource"`
		TypeDefinition struct {
			Entities []definition `json:"entities"`
		} `json:"typeDefinition"`
	} `json:"schema"`
}

type definition struct {
	ID         string              `json:"$id"`
	Name       string              `json:"name"`
	Properties map[string]property `json:"properties"`
}

type property struct {
	Type     typ    `json:"type"`
	Required bool   `json:"required"`
	Replaces string `json:"causesReplacement"`
}

type typ struct {
	Type      string `json:"type"`
	Element   *typ   `json:"element"`
	Types     []typ  `json:"types"`
	Reference struct {
		ID string `json:"$ref"`
	} `json:"reference"`
}

// normalForm reads the npm package.
func normalForm(dir string) ([]byte, error) {
	var pkg struct{ Name, Version string }
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &pkg); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "db.json.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var db database
	if err := json.NewDecoder(z).Decode(&db); err != nil {
		return nil, err
	}
	defs := map[string]definition{}
	for _, d := range db.Schema.TypeDefinition.Entities {
		defs[d.ID] = d
	}
	m := Model{Source: pkg.Name + " " + pkg.Version, Types: map[string]*Definition{}}
	for _, r := range db.Schema.Resource.Entities {
		if !slices.ContainsFunc(namespaces, func(ns string) bool { return strings.HasPrefix(r.Type, ns) }) || byHand[r.Type] != nil {
			continue
		}
		d := &Definition{
			ID: r.ID, Ref: r.Ref, Tags: r.Tags.Property,
			Properties: map[string]string{}, Attributes: map[string]string{}, Types: map[string]map[string]string{},
		}
		n := &namer{defs: defs, names: map[string]string{}, out: d.Types}
		if d.Properties, err = n.properties(r.Properties); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Type, err)
		}
		if d.Attributes, err = n.properties(r.Attributes); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Type, err)
		}
		for name := range d.Attributes {
			d.Attributes[name], _, _ = strings.Cut(d.Attributes[name], " ")
		}
		for name, t := range byHandAttributes[r.Type] {
			d.Attributes[name] = t
		}
		m.Types[r.Type] = d
	}
	for name, d := range byHand {
		m.Types[name] = d
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// namer gives the property types of one resource type their names and collects them.
type namer struct {
	defs  map[string]definition
	names map[string]string // by id in the database
	out   map[string]map[string]string
}

func (n *namer) properties(props map[string]property) (map[string]string, error) {
	out := map[string]string{}
	// In order, so that names that are taken twice come out the same each time.
	keys := make([]string, 0, len(props))
	for k := range props {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		p := props[k]
		s, err := n.typ(p.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		if p.Required {
			s += " !"
		}
		switch p.Replaces {
		case "yes":
			s += " ~"
		case "maybe":
			s += " ?"
		}
		out[k] = s
	}
	return out, nil
}

func (n *namer) typ(t typ) (string, error) {
	switch t.Type {
	case "string", "integer", "number", "boolean", "json", "tag":
		return t.Type, nil
	case "date-time":
		return "timestamp", nil
	case "array", "map":
		elem, err := n.typ(*t.Element)
		if t.Type == "map" {
			return "{" + elem + "}", err
		}
		return "[" + elem + "]", err
	case "union":
		// All of them are a document or its text, or a scalar that may be text.
		best := "string"
		for _, u := range t.Types {
			switch u.Type {
			case "json", "ref", "array", "map":
				best = "json"
			}
		}
		return best, nil
	case "ref":
		name, err := n.define(t.Reference.ID)
		return "#" + name, err
	}
	return "", fmt.Errorf("unknown type %q", t.Type)
}

func (n *namer) define(id string) (string, error) {
	if name, ok := n.names[id]; ok {
		return name, nil
	}
	d, ok := n.defs[id]
	if !ok {
		return "", fmt.Errorf("unknown property type %s", id)
	}
	name := d.Name
	for i := 2; n.out[name] != nil; i++ {
		name = fmt.Sprint(d.Name, i)
	}
	n.names[id] = name
	n.out[name] = map[string]string{} // before its properties, which may name it
	props, err := n.properties(d.Properties)
	if err != nil {
		return "", fmt.Errorf("%s: %w", d.Name, err)
	}
	n.out[name] = props
	return name, nil
}
