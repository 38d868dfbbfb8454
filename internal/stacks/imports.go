package stacks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Resources that exist are taken into a stack in two ways: by name, in a change set of type IMPORT, or
// where a creation meets what it wants to make, if the change set said ImportExistingResources. Both need a
// DeletionPolicy that keeps the resource, so that the stack's end is not its end. The resource is then
// updated to what the template says: there is nothing else that tells whether it is there.

// existsCodes are what services answer to a creation of what is there.
var existsCodes = []string{
	"AlreadyExistsException", "BucketAlreadyExists", "BucketAlreadyOwnedByYou", "ConflictException", "EntityAlreadyExists",
	"GroupExistsException", "ParameterAlreadyExists", "ResourceAlreadyExistsException", "ResourceConflictException",
}

// identity returns the physical id that a resource of a type has with the given values of its identifier.
func identity(schema *resource.Schema, values map[string]any) (string, bool) {
	var parts []string
	for _, name := range schema.RefParts() {
		v, ok := values[name]
		if !ok || v == nil {
			return "", false
		}
		parts = append(parts, fmt.Sprint(v))
	}
	return strings.Join(parts, "|"), len(parts) > 0
}

// keeps tells whether a DeletionPolicy allows to import.
func keeps(policy string) bool { return policy == "Retain" || policy == "RetainExceptOnCreate" }

// adopt is what a creation does that has met what it wants to make: err says so.
func (r *run) adopt(ctx context.Context, h resource.Handler, req *resource.Request, policy string, err error) (resource.Result, error) {
	if !keeps(policy) || !slices.ContainsFunc(existsCodes, func(code string) bool { return shape.HasCode(err, code) }) {
		return resource.Result{}, err
	}
	schema, _ := r.s.o.Registry.Schema(req.Type)
	id, ok := identity(schema, req.Props)
	if !ok {
		return resource.Result{}, err
	}
	return r.bring(ctx, h, req, id)
}

// bring takes a resource into the stack.
func (r *run) bring(ctx context.Context, h resource.Handler, req *resource.Request, id string) (resource.Result, error) {
	owner, err := view(ctx, r.s.o.DB, func(tx *store.Tx) (string, error) { return r.s.byPhysical(tx, r.stack.Region, id, req.Type) })
	if err == nil && owner != r.stack.ID {
		return resource.Result{}, &resource.Error{Message: "Resource " + id + " already exists in stack " + owner}
	}
	req.PhysicalID, req.OldProps = id, map[string]any{}
	res, err := h.Update(r.on(ctx, req), req)
	if err == nil && res.PhysicalID != id {
		err = &resource.Error{Message: "Resource " + id + " cannot be imported: it would be replaced"}
	}
	res.Imported = true
	return res, err
}
