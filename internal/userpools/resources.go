package userpools

import (
	"context"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types of user pools.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{Name: "AWS::Cognito::UserPool", Handler: poolResource{s}, Properties: []string{
			"AccountRecoverySetting", "AdminCreateUserConfig", "AliasAttributes", "AutoVerifiedAttributes", "DeletionProtection", "DeviceConfiguration",
			"EmailConfiguration", "EmailVerificationMessage", "EmailVerificationSubject", "IssuerConfiguration", "KeyConfiguration", "LambdaConfig",
			"MfaConfiguration", "Policies", "Schema", "SmsAuthenticationMessage", "SmsConfiguration", "SmsVerificationMessage", "UserAttributeUpdateSettings",
			"UserPoolAddOns", "UserPoolName", "UserPoolTags", "UserPoolTier", "UsernameAttributes", "UsernameConfiguration", "VerificationMessageTemplate"}},
		{Name: "AWS::Cognito::UserPoolClient", Handler: clientResource{s}},
	}
}

type poolResource struct{ s *Service }

func (h poolResource) result(p *Pool) resource.Result {
	return resource.Result{PhysicalID: p.id(), Attrs: map[string]any{
		"Arn": *p.Config.Arn, "UserPoolId": p.id(),
		"ProviderName": "cognito-idp." + p.Region + ".amazonaws.com/" + p.id(), "ProviderURL": h.s.issuer(p.Region, p.id())}}
}

func (h poolResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	region := wire.CallFrom(ctx).Region
	if p, err := madeBefore(ctx, h.s.db, pools, region, r.Token); err != nil || p != nil {
		if err != nil {
			return resource.Result{}, err
		}
		return h.result(p), nil
	}
	in := new(cognitoidp.CreateUserPoolRequest)
	props := resource.With(map[string]any{"UserPoolName": r.PhysicalName(128, false)}, r.Props)
	err := resource.Input(ctx, &cognitoidp.Model, in, props, map[string]string{"UserPoolName": "PoolName"})
	if err != nil {
		return resource.Result{}, err
	}
	if in.UserPoolTags, err = r.AllTags("UserPoolTags"); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.createPool(ctx, region, in, r.Token)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(p), nil
}

// madeBefore finds what a try of the same step made before a crash; nil: nothing.
func madeBefore[T any](ctx context.Context, db *store.DB, kind store.Kind[T], parent, token string) (v *T, err error) {
	if token == "" {
		return nil, nil
	}
	err = db.View(ctx, func(tx *store.Tx) error {
		v, err = kind.ByName(tx, parent, token)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return v, err
}

func (h poolResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	for _, name := range []string{"AliasAttributes", "UsernameAttributes", "UsernameConfiguration"} {
		if !resource.Equal(r.OldProps[name], r.Props[name]) {
			return resource.Result{}, errInvalidParameter("Updates are not allowed for property - %s.", name)
		}
	}
	added, err := addedAttributes(r.OldProps["Schema"], r.Props["Schema"])
	if err != nil {
		return resource.Result{}, err
	}
	in := new(cognitoidp.UpdateUserPoolRequest)
	props := resource.With(r.Props, map[string]any{"UserPoolId": r.PhysicalID})
	for _, name := range []string{"AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "Schema"} {
		delete(props, name)
	}
	if err := resource.Input(ctx, &cognitoidp.Model, in, props, map[string]string{"UserPoolName": "PoolName"}); err != nil {
		return resource.Result{}, err
	}
	if in.UserPoolTags, err = r.AllTags("UserPoolTags"); err != nil {
		return resource.Result{}, err
	}
	if len(added) > 0 {
		add := new(cognitoidp.AddCustomAttributesRequest)
		if err := resource.Input(ctx, &cognitoidp.Model, add, map[string]any{"UserPoolId": r.PhysicalID, "CustomAttributes": added}, nil); err != nil {
			return resource.Result{}, err
		}
		if _, err := h.s.AddCustomAttributes(ctx, add); err != nil {
			return resource.Result{}, err
		}
	}
	if err := h.s.updatePool(ctx, in); err != nil {
		return resource.Result{}, err
	}
	p, err := h.s.regionPool(ctx, r.PhysicalID)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(p), nil
}

// addedAttributes returns what the new Schema has over the old. A pool's attributes can only grow.
func addedAttributes(before, after any) ([]any, error) {
	list := func(v any) []any { l, _ := v.([]any); return l }
	name := func(v any) any { m, _ := v.(map[string]any); return m["Name"] }
	old := map[any]any{}
	for _, a := range list(before) {
		old[name(a)] = a
	}
	var added []any
	for _, a := range list(after) {
		was, ok := old[name(a)]
		switch {
		case !ok:
			added = append(added, a)
		case !resource.Equal(was, a):
			return nil, errInvalidParameter("Existing schema attributes cannot be modified or deleted.")
		}
		delete(old, name(a))
	}
	if len(old) > 0 {
		return nil, errInvalidParameter("Existing schema attributes cannot be modified or deleted.")
	}
	return added, nil
}

func (h poolResource) Delete(ctx context.Context, r *resource.Request) error {
	if err := resource.Authorize(ctx, &cognitoidp.Model, &cognitoidp.DeleteUserPoolRequest{UserPoolId: r.PhysicalID}); err != nil {
		return err
	}
	return resource.Gone(h.s.deletePool(ctx, r.PhysicalID), "ResourceNotFoundException")
}

type clientResource struct{ s *Service }

func (h clientResource) result(c *Client) (resource.Result, error) {
	secret, err := h.s.clientSecret(c)
	attrs := map[string]any{"ClientId": c.id(), "Name": *c.Config.ClientName}
	if secret != "" {
		attrs["ClientSecret"] = secret
	}
	return resource.Result{PhysicalID: c.id(), Attrs: attrs}, err
}

func (h clientResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(cognitoidp.CreateUserPoolClientRequest)
	props := resource.With(map[string]any{"ClientName": r.PhysicalName(128, false)}, r.Props)
	if err := resource.Input(ctx, &cognitoidp.Model, in, props, nil); err != nil {
		return resource.Result{}, err
	}
	c, err := madeBefore(ctx, h.s.db, clients, in.UserPoolId, r.Token)
	if err == nil && c == nil {
		c, err = h.s.createClient(ctx, in, r.Token)
	}
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(c)
}

func (h clientResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(cognitoidp.UpdateUserPoolClientRequest)
	props := resource.With(r.Props, map[string]any{"ClientId": r.PhysicalID})
	delete(props, "GenerateSecret") // a change of it replaces the client
	if err := resource.Input(ctx, &cognitoidp.Model, in, props, nil); err != nil {
		return resource.Result{}, err
	}
	c, err := h.s.updateClient(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(c)
}

func (h clientResource) Delete(ctx context.Context, r *resource.Request) error {
	c, err := clients.Cached(ctx, h.s.db, r.PhysicalID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = resource.Authorize(ctx, &cognitoidp.Model, &cognitoidp.DeleteUserPoolClientRequest{UserPoolId: c.PoolID, ClientId: r.PhysicalID})
	}
	if err == nil {
		err = h.s.deleteClient(ctx, c.PoolID, r.PhysicalID)
	}
	return resource.Gone(err, "ResourceNotFoundException")
}
