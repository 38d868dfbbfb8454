package restapis

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

var pathPart = regexp.MustCompile(`^([a-zA-Z0-9._:-]+|\{[a-zA-Z0-9._:-]+\+?\})$`)

// maxPath bounds a resource's path, in bytes, and so the depth of the tree.
const maxPath = 2000

// resourceName is the name that a resource's document has: siblings have different ones. Path variables all have
// the same, for only one is allowed.
func resourceName(r *v1.Resource) string {
	if r.ParentId == nil {
		return "/"
	}
	part := shape.Val(r.PathPart)
	if strings.HasPrefix(part, "{") {
		part = "{}"
	}
	return *r.ParentId + "/" + part
}

// checkSibling tells whether a resource's path part may stand where it stands.
func checkSibling(tx *store.Tx, apiID string, parent, r *v1.Resource) error {
	part := *r.PathPart
	if !pathPart.MatchString(part) {
		return bad("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	if strings.HasSuffix(shape.Val(parent.PathPart), "+}") {
		return bad("Cannot create a child of a resource with a greedy path variable: %s", *parent.PathPart)
	}
	if strings.HasPrefix(part, "{") {
		name := strings.Trim(part, "{+}")
		for p := range strings.SplitSeq(strings.TrimPrefix(*parent.Path, "/"), "/") {
			if strings.HasPrefix(p, "{") && strings.Trim(p, "{+}") == name {
				return bad("Resource's path part variable %s is already used in the path %s", part, *parent.Path)
			}
		}
	}
	other, err := resources.ByName(tx, apiID, resourceName(r))
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case *other.Id == shape.Val(r.Id):
	case *other.PathPart == part:
		return v1.ConflictException("Another resource with the same parent already has this name: %s", part)
	default:
		return bad("A sibling (%s) of this resource already has a variable path part -- only one is allowed", *other.PathPart)
	}
	path := strings.TrimSuffix(*parent.Path, "/") + "/" + part
	if len(path) > maxPath {
		return bad("The path of a resource cannot be longer than %d characters", maxPath)
	}
	r.Path = &path
	return nil
}

func (s *Service) CreateResource(ctx context.Context, in *v1.CreateResourceRequest) (*v1.Resource, error) {
	r := &v1.Resource{ParentId: &in.ParentId, PathPart: &in.PathPart}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		return s.createResource(ctx, tx, in.RestApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// createResource stores a resource whose parent and path part are given.
func (s *Service) createResource(ctx context.Context, tx *store.Tx, apiID string, r *v1.Resource) error {
	parent, err := getResource(tx, apiID, *r.ParentId)
	if err != nil {
		return err
	}
	if err := checkSibling(tx, apiID, parent, r); err != nil {
		return err
	}
	for range 5 { // six characters are not unique among ten thousand
		r.Id = shape.Ptr(newID(ctx, shortID))
		if err = resources.Insert(tx, partKey(apiID, *r.Id, resourceName(r)), r); !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

func getResource(tx *store.Tx, apiID, id string) (*v1.Resource, error) {
	r, err := resources.Get(tx, apiID+"/"+id)
	return r, missing(err, "Resource")
}

func putResource(tx *store.Tx, apiID string, r *v1.Resource) error {
	return resources.Put(tx, partKey(apiID, *r.Id, resourceName(r)), r)
}

// embeds tells whether methods are to be shown whole.
func embeds(embed []string) (bool, error) {
	for _, e := range embed {
		if e != "methods" {
			return false, bad("Requested embed parameter '%s' is not valid. Must be one of: [methods]", e)
		}
	}
	return len(embed) > 0, nil
}

// shown is a resource as its owner sees it: without embed=methods only the names of its methods.
func shown(r *v1.Resource, methods bool) v1.Resource {
	out := *r
	if methods || len(r.ResourceMethods) == 0 {
		return out
	}
	out.ResourceMethods = map[string]v1.Method{}
	for name := range r.ResourceMethods {
		out.ResourceMethods[name] = v1.Method{}
	}
	return out
}

func (s *Service) GetResource(ctx context.Context, in *v1.GetResourceRequest) (*v1.Resource, error) {
	methods, err := embeds(in.Embed)
	if err != nil {
		return nil, err
	}
	r, err := part(ctx, s, resources, "Resource", in.RestApiId, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return shape.Ptr(shown(r, methods)), nil
}

func (s *Service) GetResources(ctx context.Context, in *v1.GetResourcesRequest) (*v1.Resources, error) {
	methods, err := embeds(in.Embed)
	if err != nil {
		return nil, err
	}
	list, next, err := partsOf(ctx, s, resources, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i] = shown(&list[i], methods)
	}
	return &v1.Resources{Items: list, Position: next}, nil
}

// resourceFields is what can be patched of a resource.
var resourceFields = []field[v1.Resource]{
	{"/parentId", "replace", setName(func(r *v1.Resource) **string { return &r.ParentId })},
	{"/pathPart", "replace", setName(func(r *v1.Resource) **string { return &r.PathPart })},
}

// UpdateResource renames a resource or moves it below another. What is below it goes with it.
func (s *Service) UpdateResource(ctx context.Context, in *v1.UpdateResourceRequest) (*v1.Resource, error) {
	var out v1.Resource
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		r, err := getResource(tx, in.RestApiId, in.ResourceId)
		if err != nil {
			return err
		}
		root := r.ParentId == nil
		if err := apply(resourceFields, r, in.PatchOperations); err != nil {
			return err
		}
		if root && len(in.PatchOperations) > 0 {
			return bad("Root resource cannot update its %s.", strings.TrimPrefix(shape.Val(in.PatchOperations[0].Path), "/"))
		}
		if !root {
			all, err := every(tx, resources, in.RestApiId)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(all, func(p *v1.Resource) bool { return *p.Id == *r.ParentId })
			if at < 0 {
				return v1.NotFoundException("Invalid Resource identifier specified")
			}
			old, parent := *r.Path, all[at]
			if below(old, *parent.Path) {
				return bad("Resource cannot be moved below itself")
			}
			if err := checkSibling(tx, in.RestApiId, parent, r); err != nil {
				return err
			}
			if strings.HasSuffix(*r.PathPart, "+}") && slices.ContainsFunc(all, func(c *v1.Resource) bool { return shape.Val(c.ParentId) == *r.Id }) {
				return bad("Cannot create a child of a resource with a greedy path variable: %s", *r.PathPart)
			}
			for _, c := range all {
				if *c.Id == *r.Id || !below(old, *c.Path) {
					continue
				}
				c.Path = shape.Ptr(*r.Path + strings.TrimPrefix(*c.Path, old))
				if err := putResource(tx, in.RestApiId, c); err != nil {
					return err
				}
			}
		}
		out = shown(r, false)
		return putResource(tx, in.RestApiId, r)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// below tells whether a path is that of the resource or of one below it.
func below(resource, path string) bool {
	return path == resource || strings.HasPrefix(path, strings.TrimSuffix(resource, "/")+"/")
}

// DeleteResource deletes a resource with all below it.
func (s *Service) DeleteResource(ctx context.Context, in *v1.DeleteResourceRequest) (*v1.DeleteResourceResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		r, err := getResource(tx, in.RestApiId, in.ResourceId)
		if err != nil {
			return err
		}
		if r.ParentId == nil {
			return bad("Root resource cannot be deleted")
		}
		all, err := every(tx, resources, in.RestApiId)
		if err != nil {
			return err
		}
		for _, c := range all {
			if below(*r.Path, *c.Path) {
				if err := resources.Delete(tx, in.RestApiId+"/"+*c.Id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteResourceResponse{}, nil
}
