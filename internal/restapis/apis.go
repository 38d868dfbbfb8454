package restapis

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// maxCompression is the greatest minimumCompressionSize, in bytes.
const maxCompression = 10 << 20

// CreateRestApi makes an API with its root resource and the models Empty and Error, or a copy of the live
// configuration of another.
func (s *Service) CreateRestApi(ctx context.Context, in *v1.CreateRestApiRequest) (*v1.RestApi, error) {
	now := s.now().UTC()
	a := &api{Region: region(ctx), RestApi: v1.RestApi{Name: &in.Name, Description: in.Description, CreatedDate: &now, Version: in.Version,
		BinaryMediaTypes: in.BinaryMediaTypes, MinimumCompressionSize: in.MinimumCompressionSize, ApiKeySource: or(in.ApiKeySource, v1.ApiKeySourceTypeHeader),
		EndpointConfiguration: in.EndpointConfiguration, Policy: in.Policy, Tags: in.Tags,
		DisableExecuteApiEndpoint: or(in.DisableExecuteApiEndpoint, false), SecurityPolicy: in.SecurityPolicy, EndpointAccessMode: in.EndpointAccessMode}}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		a.Id = shape.Ptr(newID(ctx, ident.APIID))
		if err := s.checkAPI(a); err != nil {
			return err
		}
		if in.CloneFrom == nil {
			return s.insertAPI(ctx, tx, a)
		}
		from, err := s.api(ctx, tx, *in.CloneFrom)
		if err != nil {
			return err
		}
		return s.clone(ctx, tx, from, a)
	})
	if err != nil {
		return nil, err
	}
	return answer(a), nil
}

// insertAPI stores a new API with what every API has from the beginning.
func (s *Service) insertAPI(ctx context.Context, tx *store.Tx, a *api) error {
	a.RootResourceId = shape.Ptr(ident.APIID())
	if err := apis.Insert(tx, store.Key{ID: *a.Id, Parent: a.Region}, a); err != nil {
		return err
	}
	for _, m := range defaultModels() {
		if err := models.Insert(tx, partKey(*a.Id, *m.Name, ""), m); err != nil {
			return err
		}
	}
	root := &v1.Resource{Id: a.RootResourceId, Path: shape.Ptr("/")}
	return resources.Insert(tx, partKey(*a.Id, *root.Id, "/"), root)
}

// clone stores a as a copy of another API, with ids of its own.
func (s *Service) clone(ctx context.Context, tx *store.Tx, from, a *api) error {
	c, err := live(tx, from)
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, r := range c.Resources {
		ids[*r.Id] = shortID()
	}
	for _, z := range c.Authorizers {
		ids[*z.Id] = shortID()
	}
	for _, v := range c.Validators {
		ids[*v.Id] = shortID()
	}
	renew := func(id **string) {
		if *id != nil {
			if to, ok := ids[**id]; ok {
				*id = &to
			}
		}
	}
	a.RootResourceId = from.RootResourceId
	renew(&a.RootResourceId)
	if a.BinaryMediaTypes == nil {
		a.BinaryMediaTypes = from.BinaryMediaTypes
	}
	if a.MinimumCompressionSize == nil {
		a.MinimumCompressionSize = from.MinimumCompressionSize
	}
	errs := []error{apis.Insert(tx, store.Key{ID: *a.Id, Parent: a.Region}, a)}
	for _, r := range c.Resources {
		renew(&r.Id)
		renew(&r.ParentId)
		for name, m := range r.ResourceMethods {
			renew(&m.AuthorizerId)
			renew(&m.RequestValidatorId)
			if m.MethodIntegration != nil {
				renew(&m.MethodIntegration.CacheNamespace)
			}
			r.ResourceMethods[name] = m
		}
		errs = append(errs, resources.Insert(tx, partKey(*a.Id, *r.Id, resourceName(r)), r))
	}
	for _, m := range c.Models {
		errs = append(errs, models.Insert(tx, partKey(*a.Id, *m.Name, ""), m))
	}
	for _, v := range c.Validators {
		renew(&v.Id)
		errs = append(errs, validators.Insert(tx, partKey(*a.Id, *v.Id, ""), v))
	}
	for _, z := range c.Authorizers {
		renew(&z.Id)
		errs = append(errs, authorizers.Insert(tx, partKey(*a.Id, *z.Id, *z.Name), z))
	}
	for _, r := range c.Responses {
		errs = append(errs, responses.Insert(tx, partKey(*a.Id, *r.ResponseType, ""), r))
	}
	return errors.Join(errs...)
}

// answer is an API as its owner sees it. AWS shows the policy as the inside of a JSON string.
func answer(a *api) *v1.RestApi {
	out := a.RestApi
	if out.Policy != nil {
		quoted, _ := json.Marshal(*out.Policy)
		p := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted[1 : len(quoted)-1]))
		out.Policy = &p
	}
	if out.Tags == nil {
		out.Tags = map[string]string{}
	}
	out.ApiStatus = shape.Ptr(v1.ApiStatusAvailable)
	return &out
}

// checkAPI holds the settings of an API against AWS's rules, and completes them.
func (s *Service) checkAPI(a *api) error {
	if strings.TrimSpace(shape.Val(a.Name)) == "" {
		return bad("API name cannot be empty")
	}
	if n := a.MinimumCompressionSize; n != nil && (*n < 0 || *n > maxCompression) {
		return bad("Invalid minimum compression size, must be between 0 and %d", maxCompression)
	}
	for _, t := range a.BinaryMediaTypes {
		if typ, sub, ok := strings.Cut(t, "/"); !ok || typ == "" || sub == "" {
			return bad("Invalid binary media type specified: %s", t)
		}
	}
	if k := *a.ApiKeySource; k != v1.ApiKeySourceTypeHeader && k != v1.ApiKeySourceTypeAuthorizer {
		return bad("Invalid API key source specified. Must be one of: [AUTHORIZER, HEADER]")
	}
	if err := checkEndpoint(&a.EndpointConfiguration); err != nil {
		return err
	}
	if p := shape.Val(a.SecurityPolicy); strings.HasPrefix(p, "SecurityPolicy_") {
		return unsupported("Security policy " + p + " of an API is")
	}
	if m := shape.Val(a.EndpointAccessMode); m == v1.EndpointAccessModeStrict {
		return unsupported("Endpoint access mode STRICT is")
	}
	if text := shape.Val(a.Policy); text != "" {
		text = expandPolicy(text, a, s.account)
		if _, err := policy.Compile(policy.Resource, "policy", text); err != nil {
			return bad("Invalid policy document. Please check the policy syntax and ensure that Principals are valid. %v", err)
		}
		a.Policy = &text
	} else {
		a.Policy = nil
	}
	return checkTags(a.Tags)
}

// checkEndpoint checks an endpoint configuration, which is EDGE if nothing is said.
func checkEndpoint(e **v1.EndpointConfiguration) error {
	if *e == nil {
		*e = &v1.EndpointConfiguration{}
	}
	c := *e
	if len(c.Types) == 0 {
		c.Types = []string{v1.EndpointTypeEdge}
	}
	if len(c.Types) > 1 {
		return bad("Only one endpoint type is allowed")
	}
	switch c.Types[0] {
	case v1.EndpointTypeEdge, v1.EndpointTypeRegional:
	case v1.EndpointTypePrivate:
		return unsupported("Endpoint type PRIVATE is")
	default:
		return bad("Invalid endpoint type specified. Must be one of: [EDGE, PRIVATE, REGIONAL]")
	}
	if len(c.VpcEndpointIds) > 0 {
		return bad("VPC endpoint ids can only be set for endpoint type PRIVATE")
	}
	c.IpAddressType = or(c.IpAddressType, v1.IpAddressTypeIpv4)
	return nil
}

func (s *Service) GetRestApi(ctx context.Context, in *v1.GetRestApiRequest) (out *v1.RestApi, err error) {
	err = s.view(ctx, in.RestApiId, func(_ *store.Tx, a *api) error {
		out = answer(a)
		return nil
	})
	return out, err
}

func (s *Service) GetRestApis(ctx context.Context, in *v1.GetRestApisRequest) (*v1.RestApis, error) {
	out := &v1.RestApis{Items: []v1.RestApi{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, next, err := pageOf(tx, apis, region(ctx), in.Position, in.Limit)
		for i := range list {
			out.Items = append(out.Items, *answer(&list[i]))
		}
		out.Position = next
		return err
	})
	return out, err
}

// apiFields is what can be patched of an API.
var apiFields = []field[api]{
	{"/apiKeySource", "replace", setEnum(func(a *api) **string { return &a.ApiKeySource }, "AUTHORIZER", "HEADER")},
	{"/binaryMediaTypes/{type+}", "add remove replace", setElement(func(a *api) *[]string { return &a.BinaryMediaTypes })},
	{"/description", "replace", setText(func(a *api) **string { return &a.Description })},
	{"/disableExecuteApiEndpoint", "replace", setBool(func(a *api) **bool { return &a.DisableExecuteApiEndpoint })},
	{"/endpointAccessMode", "replace", setEnum(func(a *api) **string { return &a.EndpointAccessMode }, "BASIC", "STRICT")},
	{"/endpointConfiguration/ipAddressType", "replace", func(a *api, p patch) (err error) {
		a.EndpointConfiguration.IpAddressType, err = p.enum("dualstack", "ipv4")
		return err
	}},
	{"/endpointConfiguration/types/{type}", "add remove replace", func(a *api, p patch) error {
		if p.op == v1.OpReplace {
			if !slices.Contains(a.EndpointConfiguration.Types, p.args[0]) && p.args[0] != "0" {
				return v1.NotFoundException("Invalid endpoint type specified: %s", p.args[0])
			}
			a.EndpointConfiguration.Types = []string{p.value}
			return nil
		}
		return setElement(func(a *api) *[]string { return &a.EndpointConfiguration.Types })(a, p)
	}},
	{"/endpointConfiguration/vpcEndpointIds", "add remove replace", setElement(func(a *api) *[]string { return &a.EndpointConfiguration.VpcEndpointIds })},
	{"/minimumCompressionSize", "replace remove", func(a *api, p patch) error {
		if p.removes() || p.value == "" || p.value == "null" { // which switches compression off
			a.MinimumCompressionSize = nil
			return nil
		}
		return setInt(func(a *api) **int64 { return &a.MinimumCompressionSize })(a, p)
	}},
	{"/name", "replace", setText(func(a *api) **string { return &a.Name })},
	{"/policy", "replace remove", setText(func(a *api) **string { return &a.Policy })},
	{"/securityPolicy", "replace", setText(func(a *api) **string { return &a.SecurityPolicy })},
	{"/version", "replace", setText(func(a *api) **string { return &a.Version })},
}

func (s *Service) UpdateRestApi(ctx context.Context, in *v1.UpdateRestApiRequest) (out *v1.RestApi, err error) {
	err = s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if err := apply(apiFields, a, in.PatchOperations); err != nil {
			return err
		}
		if err := s.checkAPI(a); err != nil {
			return err
		}
		out = answer(a)
		return putAPI(tx, a)
	})
	return out, err
}

func putAPI(tx *store.Tx, a *api) error {
	return apis.Put(tx, store.Key{ID: *a.Id, Parent: a.Region}, a)
}

// DeleteRestApi deletes an API with all that is in it. One that a custom domain leads to stays.
func (s *Service) DeleteRestApi(ctx context.Context, in *v1.DeleteRestApiRequest) (*v1.DeleteRestApiResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if err := unmapped(tx, in.RestApiId, ""); err != nil {
			return err
		}
		if err := leavePlans(tx, a.Region, in.RestApiId, ""); err != nil {
			return err
		}
		errs := []error{apis.Delete(tx, in.RestApiId)}
		for _, empty := range []func() (int64, error){
			func() (int64, error) { return resources.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return models.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return validators.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return authorizers.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return responses.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return deployments.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return deployed.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return stages.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return docParts.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return docVersions.DeleteAll(tx, in.RestApiId) },
			func() (int64, error) { return steps.DeleteAll(tx, in.RestApiId) },
		} {
			_, err := empty()
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteRestApiResponse{}, nil
}

// checkTags holds tags against AWS's rules for keys and values. Tags of stacks (aws:cloudformation:…) are let in:
// the wire refuses those of callers.
func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return v1.LimitExceededException("The number of tags exceeds the limit of 50")
	}
	for k, v := range tags {
		if k == "" || len([]rune(k)) > 128 || len([]rune(v)) > 256 {
			return bad("Invalid tag specified: a key has 1 to 128 characters, a value at most 256")
		}
	}
	return nil
}

// merged returns a map with more entries.
func merged[E any](m, more map[string]E) map[string]E {
	out := make(map[string]E, len(m)+len(more))
	maps.Copy(out, m)
	maps.Copy(out, more)
	return out
}
