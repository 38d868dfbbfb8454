package identitypools

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types of identity pools. What belongs to Cognito Sync
// (CognitoEvents, CognitoStreams, PushSync) is refused by name.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::Cognito::IdentityPool", Handler: poolResource{s}, Properties: []string{"AllowClassicFlow", "AllowUnauthenticatedIdentities", "CognitoIdentityProviders",
			"DeveloperProviderName", "IdentityPoolName", "IdentityPoolTags", "OpenIdConnectProviderARNs", "SamlProviderARNs", "SupportedLoginProviders"}},
		{Name: "AWS::Cognito::IdentityPoolRoleAttachment", Handler: attachmentResource{s}},
		{Name: "AWS::Cognito::IdentityPoolPrincipalTag", Handler: tagResource{s}},
	}
}

type poolResource struct{ s *Service }

func (h poolResource) result(p *Pool) resource.Result {
	return resource.Result{PhysicalID: p.id(), Attrs: map[string]any{"Id": p.id(), "Name": p.Config.IdentityPoolName}}
}

func (h poolResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	region := wire.CallFrom(ctx).Region
	if r.Token != "" {
		var p *Pool
		err := h.s.db.View(ctx, func(tx *store.Tx) (err error) {
			p, err = pools.ByName(tx, region, r.Token)
			return err
		})
		if err == nil {
			return h.result(p), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return resource.Result{}, err
		}
	}
	in := new(cognitoidentity.CreateIdentityPoolInput)
	err := resource.Input(ctx, &cognitoidentity.Model, in, resource.With(map[string]any{"IdentityPoolName": r.PhysicalName(128, false)}, r.Props), nil)
	if err != nil {
		return resource.Result{}, err
	}
	if in.IdentityPoolTags, err = r.AllTags("IdentityPoolTags"); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createPool(ctx, region, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(p), nil
}

func (h poolResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	now, err := h.s.regionPool(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	in := new(cognitoidentity.IdentityPool)
	props := resource.With(map[string]any{"IdentityPoolName": now.Config.IdentityPoolName}, r.Props)
	if err := resource.Input(ctx, &cognitoidentity.Model, in, resource.With(props, map[string]any{"IdentityPoolId": r.PhysicalID}), nil); err != nil {
		return resource.Result{}, err
	}
	if in.IdentityPoolTags, err = r.AllTags("IdentityPoolTags"); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.updatePool(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(p), nil
}

func (h poolResource) Delete(ctx context.Context, r *resource.Request) error {
	if err := resource.Authorize(ctx, &cognitoidentity.Model, &cognitoidentity.DeleteIdentityPoolInput{IdentityPoolId: r.PhysicalID}); err != nil {
		return err
	}
	return resource.Gone(h.s.deletePool(ctx, r.PhysicalID), "ResourceNotFoundException")
}

// attachmentResource is the roles of a pool. A pool has one set: the last attachment counts, and only it
// takes the roles away with it.
type attachmentResource struct{ s *Service }

// input makes the request. The key of a mapping is a name within the template; where it says an
// IdentityProvider, that is the provider's.
func (h attachmentResource) input(ctx context.Context, r *resource.Request) (*cognitoidentity.SetIdentityPoolRolesInput, error) {
	in := new(cognitoidentity.SetIdentityPoolRolesInput)
	props := maps.Clone(r.Props)
	if props["Roles"] == nil {
		props["Roles"] = map[string]any{}
	}
	if list, ok := props["RoleMappings"].(map[string]any); ok {
		mappings := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(list)) {
			m, ok := list[key].(map[string]any)
			if !ok {
				mappings[key] = list[key]
				continue
			}
			if name, ok := m["IdentityProvider"].(string); ok {
				key = name
			}
			m = maps.Clone(m)
			delete(m, "IdentityProvider")
			if mappings[key] != nil {
				return nil, errInvalid("Two role mappings are for the provider %s.", key)
			}
			mappings[key] = m
		}
		props["RoleMappings"] = mappings
	}
	return in, resource.Input(ctx, &cognitoidentity.Model, in, props, nil)
}

func (h attachmentResource) set(ctx context.Context, r *resource.Request, id string) (resource.Result, error) {
	in, err := h.input(ctx, r)
	if err == nil {
		err = h.s.setRoles(ctx, in, id)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: id, Attrs: map[string]any{"Id": id}}, nil
}

func (h attachmentResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.set(ctx, r, r.PhysicalName(128, false))
}

func (h attachmentResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.set(ctx, r, r.PhysicalID)
}

func (h attachmentResource) Delete(ctx context.Context, r *resource.Request) error {
	pool, _ := r.Props["IdentityPoolId"].(string)
	if err := resource.Authorize(ctx, &cognitoidentity.Model, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: pool, Roles: map[string]string{}}); err != nil {
		return err
	}
	_, err := h.s.changePool(ctx, pool, func(p *Pool) error {
		if p.Attachment == r.PhysicalID {
			p.Roles, p.RoleMappings, p.Attachment = nil, nil, ""
		}
		return nil
	})
	return resource.Gone(err, "ResourceNotFoundException")
}

// tagResource is a provider's map of principal tags.
type tagResource struct{ s *Service }

func (h tagResource) set(ctx context.Context, r *resource.Request, token string) (resource.Result, error) {
	in := new(cognitoidentity.SetPrincipalTagAttributeMapInput)
	err := resource.Input(ctx, &cognitoidentity.Model, in, r.Props, nil)
	if err == nil {
		_, err = h.s.setTags(ctx, in, token)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return resource.Result{PhysicalID: in.IdentityPoolId + "|" + in.IdentityProviderName}, nil
}

func (h tagResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	pool, _ := r.Props["IdentityPoolId"].(string)
	name, _ := r.Props["IdentityProviderName"].(string)
	if p, err := h.s.regionPool(ctx, pool); err == nil {
		if m, ok := p.Tags[name]; ok && (m.Step == "" || m.Step != r.Token) {
			return resource.Result{}, &resource.Error{Message: "Resource of type 'AWS::Cognito::IdentityPoolPrincipalTag' with identifier '" + pool + "|" + name + "' already exists."}
		}
	}
	return h.set(ctx, r, r.Token)
}

func (h tagResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.set(ctx, r, r.Token)
}

func (h tagResource) Delete(ctx context.Context, r *resource.Request) error {
	in := new(cognitoidentity.SetPrincipalTagAttributeMapInput)
	in.IdentityPoolId, _ = r.Props["IdentityPoolId"].(string)
	in.IdentityProviderName, _ = r.Props["IdentityProviderName"].(string)
	if err := resource.Authorize(ctx, &cognitoidentity.Model, in); err != nil {
		return err
	}
	_, err := h.s.changePool(ctx, in.IdentityPoolId, func(p *Pool) error { delete(p.Tags, in.IdentityProviderName); return nil })
	return resource.Gone(err, "ResourceNotFoundException")
}
