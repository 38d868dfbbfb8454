package restapis

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// docVersion is a version of an API's documentation, with the parts that it had then.
type docVersion struct {
	v1.DocumentationVersion
	Parts []*v1.DocumentationPart
}

// docFields says, by the type of a part, which fields its location may have beside the type.
// https://docs.aws.amazon.com/apigateway/latest/api/API_DocumentationPartLocation.html
var docFields = map[string]string{
	v1.DocumentationPartTypeApi: "", v1.DocumentationPartTypeAuthorizer: "name", v1.DocumentationPartTypeModel: "name",
	v1.DocumentationPartTypeResource: "path", v1.DocumentationPartTypeMethod: "path method",
	v1.DocumentationPartTypePathParameter: "path method name", v1.DocumentationPartTypeQueryParameter: "path method name",
	v1.DocumentationPartTypeRequestHeader: "path method name", v1.DocumentationPartTypeRequestBody: "path method",
	v1.DocumentationPartTypeResponse: "path method statusCode", v1.DocumentationPartTypeResponseHeader: "path method statusCode name",
	v1.DocumentationPartTypeResponseBody: "path method statusCode",
}

// maxProperties is the size of a part's properties, in bytes.
const maxProperties = 256 << 10

func checkDocPart(p *v1.DocumentationPart) error {
	l := p.Location
	if l == nil {
		return bad("Documentation part location must be specified")
	}
	fields, ok := docFields[l.Type]
	if !ok {
		return bad("Invalid documentation part type specified: %s", l.Type)
	}
	for _, f := range []struct {
		name string
		at   **string
		def  string
	}{{"path", &l.Path, "/"}, {"method", &l.Method, "*"}, {"statusCode", &l.StatusCode, "*"}, {"name", &l.Name, ""}} {
		may := slices.Contains(strings.Fields(fields), f.name)
		switch {
		case *f.at != nil && !may:
			return bad("Location of type %s cannot have the field %s", l.Type, f.name)
		case *f.at == nil && may && f.name == "name":
			return bad("Location of type %s must have the field name", l.Type)
		case *f.at == nil && may:
			*f.at = &f.def
		}
	}
	text := shape.Val(p.Properties)
	if len(text) > maxProperties {
		return bad("Documentation part properties are too large")
	}
	v, err := schema.Decode([]byte(text))
	if _, isObject := v.(map[string]any); err != nil || !isObject {
		return bad("Documentation part properties must be a JSON object")
	}
	return nil
}

// locationName is the name of a part's document: there is one part a location.
func locationName(l *v1.DocumentationPartLocation) string {
	b, _ := json.Marshal([]string{l.Type, shape.Val(l.Path), shape.Val(l.Method), shape.Val(l.StatusCode), shape.Val(l.Name)})
	return string(b)
}

func (s *Service) CreateDocumentationPart(ctx context.Context, in *v1.CreateDocumentationPartRequest) (*v1.DocumentationPart, error) {
	p := &v1.DocumentationPart{Location: in.Location, Properties: &in.Properties}
	if err := checkDocPart(p); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		p.Id = shape.Ptr(newID(ctx, shortID))
		return taken(docParts.Insert(tx, partKey(in.RestApiId, *p.Id, locationName(p.Location)), p), "Documentation part already exists for the specified location: type '%s', path '%s', method '%s', statusCode '%s', name '%s'",
			p.Location.Type, shape.Val(p.Location.Path), shape.Val(p.Location.Method), shape.Val(p.Location.StatusCode), shape.Val(p.Location.Name))
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

const noDocPart = "Documentation part"

func (s *Service) GetDocumentationPart(ctx context.Context, in *v1.GetDocumentationPartRequest) (*v1.DocumentationPart, error) {
	return part(ctx, s, docParts, noDocPart, in.RestApiId, in.DocumentationPartId)
}

func (s *Service) GetDocumentationParts(ctx context.Context, in *v1.GetDocumentationPartsRequest) (*v1.DocumentationParts, error) {
	if shape.Val(in.LocationStatus) == v1.LocationStatusTypeUndocumented {
		return nil, unsupported("locationStatus UNDOCUMENTED is")
	}
	if in.Type == nil && in.NameQuery == nil && in.Path == nil {
		list, next, err := partsOf(ctx, s, docParts, in.RestApiId, in.Position, in.Limit)
		if err != nil {
			return nil, err
		}
		return &v1.DocumentationParts{Items: list, Position: next}, nil
	}
	all, _, err := partsOf(ctx, s, docParts, in.RestApiId, nil, nil)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(p v1.DocumentationPart) bool {
		return in.Type != nil && p.Location.Type != *in.Type || in.Path != nil && shape.Val(p.Location.Path) != *in.Path ||
			in.NameQuery != nil && !strings.Contains(shape.Val(p.Location.Name), *in.NameQuery)
	})
	return &v1.DocumentationParts{Items: all}, nil
}

// docPartFields is what can be patched of a documentation part.
var docPartFields = []field[v1.DocumentationPart]{
	{"/properties", "replace", setText(func(p *v1.DocumentationPart) **string { return &p.Properties })},
}

func (s *Service) UpdateDocumentationPart(ctx context.Context, in *v1.UpdateDocumentationPartRequest) (*v1.DocumentationPart, error) {
	name := func(p *v1.DocumentationPart) string { return locationName(p.Location) }
	return change(ctx, s, docParts, noDocPart, in.RestApiId, in.DocumentationPartId, name, func(_ *store.Tx, p *v1.DocumentationPart) error {
		if err := apply(docPartFields, p, in.PatchOperations); err != nil {
			return err
		}
		return checkDocPart(p)
	})
}

func (s *Service) DeleteDocumentationPart(ctx context.Context, in *v1.DeleteDocumentationPartRequest) (*v1.DeleteDocumentationPartResponse, error) {
	if err := remove(ctx, s, docParts, noDocPart, in.RestApiId, in.DocumentationPartId); err != nil {
		return nil, err
	}
	return &v1.DeleteDocumentationPartResponse{}, nil
}

func (s *Service) CreateDocumentationVersion(ctx context.Context, in *v1.CreateDocumentationVersionRequest) (*v1.DocumentationVersion, error) {
	v := &docVersion{DocumentationVersion: v1.DocumentationVersion{Version: &in.DocumentationVersion, Description: in.Description}}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) (err error) {
		if v.Parts, err = every(tx, docParts, in.RestApiId); err != nil {
			return err
		}
		now := tx.Now().UTC()
		v.CreatedDate = &now
		if err := docVersions.Insert(tx, partKey(in.RestApiId, in.DocumentationVersion, ""), v); err != nil {
			return taken(err, "Documentation version already exists")
		}
		if in.StageName == nil {
			return nil
		}
		st, err := stages.Get(tx, in.RestApiId+"/"+*in.StageName)
		if err != nil {
			return missing(err, "Stage")
		}
		st.DocumentationVersion, st.LastUpdatedDate = &in.DocumentationVersion, &now
		return stages.Put(tx, partKey(in.RestApiId, *in.StageName, ""), st)
	})
	if err != nil {
		return nil, err
	}
	return &v.DocumentationVersion, nil
}

const noDocVersion = "Documentation version"

func (s *Service) GetDocumentationVersion(ctx context.Context, in *v1.GetDocumentationVersionRequest) (*v1.DocumentationVersion, error) {
	v, err := part(ctx, s, docVersions, noDocVersion, in.RestApiId, in.DocumentationVersion)
	if err != nil {
		return nil, err
	}
	return &v.DocumentationVersion, nil
}

func (s *Service) GetDocumentationVersions(ctx context.Context, in *v1.GetDocumentationVersionsRequest) (*v1.DocumentationVersions, error) {
	list, next, err := partsOf(ctx, s, docVersions, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &v1.DocumentationVersions{Items: make([]v1.DocumentationVersion, len(list)), Position: next}
	for i := range list {
		out.Items[i] = list[i].DocumentationVersion
	}
	return out, nil
}

// docVersionFields is what can be patched of a documentation version.
var docVersionFields = []field[docVersion]{
	{"/description", "replace", setText(func(v *docVersion) **string { return &v.Description })},
}

func (s *Service) UpdateDocumentationVersion(ctx context.Context, in *v1.UpdateDocumentationVersionRequest) (*v1.DocumentationVersion, error) {
	v, err := change(ctx, s, docVersions, noDocVersion, in.RestApiId, in.DocumentationVersion, nil, func(_ *store.Tx, v *docVersion) error {
		return apply(docVersionFields, v, in.PatchOperations)
	})
	if err != nil {
		return nil, err
	}
	return &v.DocumentationVersion, nil
}

func (s *Service) DeleteDocumentationVersion(ctx context.Context, in *v1.DeleteDocumentationVersionRequest) (*v1.DeleteDocumentationVersionResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		all, err := every(tx, stages, in.RestApiId)
		if err != nil {
			return err
		}
		for _, st := range all {
			if shape.Val(st.DocumentationVersion) == in.DocumentationVersion {
				return bad("Cannot delete documentation version '%s': it is associated with stage %s", in.DocumentationVersion, *st.StageName)
			}
		}
		return missing(docVersions.Delete(tx, in.RestApiId+"/"+in.DocumentationVersion), noDocVersion)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteDocumentationVersionResponse{}, nil
}
