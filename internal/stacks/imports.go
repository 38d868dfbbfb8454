package stacks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
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

// importable holds what a change set of type IMPORT does against what such a one may do, and returns the physical
// ids of what it imports.
func (s *Service) importable(p *plan, list []cfn.ResourceToImport) (map[string]string, error) {
	by := map[string]*item{}
	var others []string
	for _, it := range p.items {
		switch it.action {
		case actAdd:
			by[it.logical] = it
		case actNone:
		default:
			others = append(others, it.logical)
		}
	}
	out := map[string]string{}
	for _, in := range list {
		it := by[in.LogicalResourceId]
		switch {
		case it == nil:
			return nil, invalid("There was an error processing resources to import: [%s] is not a resource that the template adds", in.LogicalResourceId)
		case it.typ != in.ResourceType:
			return nil, invalid("There was an error processing resources to import: resource %s is of type %s, not %s", in.LogicalResourceId, it.typ, in.ResourceType)
		case it.spec.onDelete == "":
			return nil, invalid("Resources [%s] is missing DeletionPolicy attribute in template", in.LogicalResourceId)
		}
		schema, _ := s.o.Registry.Schema(it.typ)
		values := map[string]any{}
		for k, v := range in.ResourceIdentifier {
			values[k] = v
		}
		id, ok := identity(schema, values)
		if !ok || schema.Open || it.typ == stackType {
			return nil, invalid("There was an error processing resources to import: %s needs the identifier [%s]", in.LogicalResourceId, strings.Join(schema.RefParts(), ", "))
		}
		out[in.LogicalResourceId] = id
		delete(by, in.LogicalResourceId)
	}
	for id := range by {
		others = append(others, id)
	}
	if len(others) > 0 {
		slices.Sort(others)
		return nil, invalid("You have modified resources %s in your template that are not being imported. Update, create or delete operations cannot be executed during import operations.", "["+strings.Join(others, ", ")+"]")
	}
	return out, nil
}

// word returns the status of an operation's stack: those of imports have their own.
func (op *Operation) word(status string) string {
	if len(op.Bring) == 0 {
		return status
	}
	switch status {
	case cfn.StackStatusCreateInProgress, cfn.StackStatusUpdateInProgress, cfn.StackStatusUpdateCompleteCleanupInProgress:
		return cfn.StackStatusImportInProgress
	case cfn.StackStatusCreateComplete, cfn.StackStatusUpdateComplete:
		return cfn.StackStatusImportComplete
	case cfn.StackStatusRollbackInProgress, cfn.StackStatusUpdateRollbackInProgress, cfn.StackStatusUpdateRollbackCompleteCleanupInProgress:
		return cfn.StackStatusImportRollbackInProgress
	case cfn.StackStatusRollbackComplete, cfn.StackStatusUpdateRollbackComplete:
		return cfn.StackStatusImportRollbackComplete
	case cfn.StackStatusRollbackFailed, cfn.StackStatusUpdateRollbackFailed:
		return cfn.StackStatusImportRollbackFailed
	}
	return status
}
