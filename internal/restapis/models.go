package restapis

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

var modelName = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// maxSchema is the size of a model's schema, in bytes. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const maxSchema = 400 << 10

// defaultModels are what every new API has.
func defaultModels() []*v1.ModelType {
	model := func(name, description, schema string) *v1.ModelType {
		return &v1.ModelType{Id: shape.Ptr(shortID()), Name: &name, Description: &description, Schema: &schema, ContentType: shape.Ptr("application/json")}
	}
	return []*v1.ModelType{
		model("Empty", "This is a default empty schema model", "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}"),
		model("Error", "This is a default error schema model", "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}"),
	}
}

// checkModel holds a model's schema against JSON schema draft 4 and the API's other models.
func checkModel(tx *store.Tx, apiID string, m *v1.ModelType) error {
	if !modelName.MatchString(*m.Name) {
		return bad("Model name must be alphanumeric: %s", *m.Name)
	}
	if shape.Val(m.ContentType) == "" {
		return bad("Invalid content type specified")
	}
	src := shape.Val(m.Schema)
	if len(src) > maxSchema {
		return bad("Model schema is too large: at most %d bytes are allowed", maxSchema)
	}
	if src == "" || !strings.Contains(*m.ContentType, "json") {
		if src == "" && strings.Contains(*m.ContentType, "json") {
			return bad("Model schema must have at least 1 property or array items defined")
		}
		return nil
	}
	all, err := every(tx, models, apiID)
	if err != nil {
		return err
	}
	set := schema.NewSet()
	for _, other := range all {
		set.Add(*other.Name, []byte(shape.Val(other.Schema)))
	}
	set.Add(*m.Name, []byte(src))
	if _, err := set.Compile(*m.Name); err != nil {
		return bad("Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. %v]", err)
	}
	return nil
}

func (s *Service) CreateModel(ctx context.Context, in *v1.CreateModelRequest) (*v1.ModelType, error) {
	m := &v1.ModelType{Name: &in.Name, Description: in.Description, Schema: in.Schema, ContentType: &in.ContentType}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		if err := checkModel(tx, in.RestApiId, m); err != nil {
			return err
		}
		m.Id = shape.Ptr(newID(ctx, shortID))
		return taken(models.Insert(tx, partKey(in.RestApiId, in.Name, ""), m), "Model name already exists for this REST API")
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func noModel(name string) error {
	return v1.NotFoundException("Invalid model name specified: %s", name)
}

func getModel(tx *store.Tx, apiID, name string) (*v1.ModelType, error) {
	m, err := models.Get(tx, apiID+"/"+name)
	if missing(err, "") != err {
		return nil, noModel(name)
	}
	return m, err
}

func (s *Service) GetModel(ctx context.Context, in *v1.GetModelRequest) (m *v1.ModelType, err error) {
	err = s.view(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		if m, err = getModel(tx, in.RestApiId, in.ModelName); err != nil || !shape.Val(in.Flatten) {
			return err
		}
		flat, err := flatten(tx, in.RestApiId, m)
		if err == nil {
			m.Schema = &flat
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

var modelRef = regexp.MustCompile(`https://apigateway\.amazonaws\.com/restapis/[^/"]+/models/([A-Za-z0-9]+)`)

// flatten returns a model's schema with those that it refers to as its definitions.
func flatten(tx *store.Tx, apiID string, m *v1.ModelType) (string, error) {
	own := shape.Val(m.Schema)
	if !modelRef.MatchString(own) {
		return own, nil
	}
	local := func(text string) string { return modelRef.ReplaceAllString(text, "#/definitions/$1") }
	var doc map[string]any
	if err := json.Unmarshal([]byte(local(own)), &doc); err != nil {
		return own, nil
	}
	definitions, _ := doc["definitions"].(map[string]any)
	if definitions == nil {
		definitions = map[string]any{}
	}
	for todo := []string{own}; len(todo) > 0; todo = todo[1:] {
		for _, ref := range modelRef.FindAllStringSubmatch(todo[0], -1) {
			if _, ok := definitions[ref[1]]; ok {
				continue
			}
			other, err := getModel(tx, apiID, ref[1])
			if err != nil {
				return "", err
			}
			var d any
			if err := json.Unmarshal([]byte(local(shape.Val(other.Schema))), &d); err != nil {
				return "", err
			}
			definitions[ref[1]] = d
			todo = append(todo, shape.Val(other.Schema))
		}
	}
	doc["definitions"] = definitions
	flat, err := json.MarshalIndent(doc, "", "  ")
	return string(flat), err
}

func (s *Service) GetModels(ctx context.Context, in *v1.GetModelsRequest) (*v1.Models, error) {
	list, next, err := partsOf(ctx, s, models, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	return &v1.Models{Items: list, Position: next}, nil
}

// GetModelTemplate returns a mapping template that writes what the schema describes.
func (s *Service) GetModelTemplate(ctx context.Context, in *v1.GetModelTemplateRequest) (*v1.Template, error) {
	m, err := s.GetModel(ctx, &v1.GetModelRequest{RestApiId: in.RestApiId, ModelName: in.ModelName})
	if err != nil {
		return nil, err
	}
	doc, err := schema.Decode([]byte(shape.Val(m.Schema)))
	if err != nil {
		return nil, bad("Invalid model schema specified. %v", err)
	}
	var b strings.Builder
	b.WriteString("#set($inputRoot = $input.path('$'))\n")
	sample(&b, doc, "", 0)
	return &v1.Template{Value: shape.Ptr(b.String())}, nil
}

// sample writes the skeleton of a document.
func sample(b *strings.Builder, v any, indent string, level int) {
	s, _ := v.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	switch t, _ := s["type"].(string); {
	case level > 20:
		b.WriteString("null")
	case t == "object" || props != nil:
		b.WriteString("{")
		for i, name := range sortedKeys(props) {
			if i > 0 {
				b.WriteString(",")
			}
			q, _ := json.Marshal(name)
			b.WriteString("\n" + indent + "  " + string(q) + " : ")
			sample(b, props[name], indent+"  ", level+1)
		}
		b.WriteString("\n" + indent + "}")
	case t == "array":
		b.WriteString("[ ")
		sample(b, s["items"], indent, level+1)
		b.WriteString(" ]")
	case t == "integer", t == "number":
		b.WriteString("42")
	case t == "boolean":
		b.WriteString("true")
	default:
		b.WriteString(`"foo"`)
	}
}

// modelFields is what can be patched of a model.
var modelFields = []field[v1.ModelType]{
	{"/description", "replace", setText(func(m *v1.ModelType) **string { return &m.Description })},
	{"/schema", "replace", setText(func(m *v1.ModelType) **string { return &m.Schema })},
}

func (s *Service) UpdateModel(ctx context.Context, in *v1.UpdateModelRequest) (m *v1.ModelType, err error) {
	err = s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		if m, err = getModel(tx, in.RestApiId, in.ModelName); err != nil {
			return err
		}
		if err := apply(modelFields, m, in.PatchOperations); err != nil {
			return err
		}
		if err := checkModel(tx, in.RestApiId, m); err != nil {
			return err
		}
		return models.Put(tx, partKey(in.RestApiId, in.ModelName, ""), m)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// DeleteModel deletes a model that no other model and no method refers to.
func (s *Service) DeleteModel(ctx context.Context, in *v1.DeleteModelRequest) (*v1.DeleteModelResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		if _, err := getModel(tx, in.RestApiId, in.ModelName); err != nil {
			return err
		}
		all, err := every(tx, models, in.RestApiId)
		if err != nil {
			return err
		}
		for _, m := range all {
			for _, ref := range modelRef.FindAllStringSubmatch(shape.Val(m.Schema), -1) {
				if ref[1] == in.ModelName && *m.Name != in.ModelName {
					return v1.ConflictException("Cannot delete model '%s', is referenced in model: %s", in.ModelName, *m.Name)
				}
			}
		}
		used, err := usedBy(tx, in.RestApiId, func(m *v1.Method) bool {
			for _, name := range m.RequestModels {
				if name == in.ModelName {
					return true
				}
			}
			for _, r := range m.MethodResponses {
				for _, name := range r.ResponseModels {
					if name == in.ModelName {
						return true
					}
				}
			}
			return false
		})
		if err != nil {
			return err
		}
		if used != "" {
			return v1.ConflictException("Cannot delete model '%s', is referenced in method: %s", in.ModelName, used)
		}
		return models.Delete(tx, in.RestApiId+"/"+in.ModelName)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteModelResponse{}, nil
}

// usedBy returns the first method, as PATH/METHOD, of which f holds; "" if there is none.
func usedBy(tx *store.Tx, apiID string, f func(m *v1.Method) bool) (string, error) {
	all, err := every(tx, resources, apiID)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		for _, name := range sortedKeys(r.ResourceMethods) {
			m := r.ResourceMethods[name]
			if f(&m) {
				return strings.TrimSuffix(*r.Path, "/") + "/" + name, nil
			}
		}
	}
	return "", nil
}

func (s *Service) CreateRequestValidator(ctx context.Context, in *v1.CreateRequestValidatorRequest) (*v1.RequestValidator, error) {
	v := &v1.RequestValidator{Name: in.Name, ValidateRequestBody: or(in.ValidateRequestBody, false), ValidateRequestParameters: or(in.ValidateRequestParameters, false)}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		v.Id = shape.Ptr(newID(ctx, shortID))
		return validators.Insert(tx, partKey(in.RestApiId, *v.Id, ""), v)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

const noValidator = "Request Validator"

func (s *Service) GetRequestValidator(ctx context.Context, in *v1.GetRequestValidatorRequest) (*v1.RequestValidator, error) {
	return part(ctx, s, validators, noValidator, in.RestApiId, in.RequestValidatorId)
}

func (s *Service) GetRequestValidators(ctx context.Context, in *v1.GetRequestValidatorsRequest) (*v1.RequestValidators, error) {
	list, next, err := partsOf(ctx, s, validators, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	return &v1.RequestValidators{Items: list, Position: next}, nil
}

// validatorFields is what can be patched of a request validator.
var validatorFields = []field[v1.RequestValidator]{
	{"/name", "replace", setText(func(v *v1.RequestValidator) **string { return &v.Name })},
	{"/validateRequestBody", "replace", setBool(func(v *v1.RequestValidator) **bool { return &v.ValidateRequestBody })},
	{"/validateRequestParameters", "replace", setBool(func(v *v1.RequestValidator) **bool { return &v.ValidateRequestParameters })},
}

func (s *Service) UpdateRequestValidator(ctx context.Context, in *v1.UpdateRequestValidatorRequest) (*v1.RequestValidator, error) {
	return change(ctx, s, validators, noValidator, in.RestApiId, in.RequestValidatorId, nil, func(_ *store.Tx, v *v1.RequestValidator) error {
		return apply(validatorFields, v, in.PatchOperations)
	})
}

func (s *Service) DeleteRequestValidator(ctx context.Context, in *v1.DeleteRequestValidatorRequest) (*v1.DeleteRequestValidatorResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		used, err := usedBy(tx, in.RestApiId, func(m *v1.Method) bool { return shape.Val(m.RequestValidatorId) == in.RequestValidatorId })
		if err != nil {
			return err
		}
		if used != "" {
			return v1.ConflictException("Cannot delete request validator '%s', is referenced in method: %s", in.RequestValidatorId, used)
		}
		return missing(validators.Delete(tx, in.RestApiId+"/"+in.RequestValidatorId), noValidator)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteRequestValidatorResponse{}, nil
}
