package restapis

import (
	"context"
	"slices"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

type keyType struct{ s *Service }

func (h keyType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateApiKeyRequest)
	defaults := map[string]any{"Name": r.PhysicalName(128, false)}
	if err := bind(ctx, in, resource.With(defaults, r.Props), nil); err != nil {
		return resource.Result{}, err
	}
	var err error
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, longID)
	if _, ok, err := made(ctx, h.s, keys, id); ok || err != nil {
		return only("APIKeyId", id), err
	}
	_, err = h.s.CreateApiKey(step(ctx, r), in)
	return only("APIKeyId", id), err
}

func (h keyType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	res := only("APIKeyId", r.PhysicalID)
	in := &v1.UpdateApiKeyRequest{ApiKey: r.PhysicalID, PatchOperations: []v1.PatchOperation{patchTo(r.Props, "CustomerId", "/customerId"),
		patchTo(r.Props, "Description", "/description"), patchTo(resource.With(map[string]any{"Enabled": "false"}, r.Props), "Enabled", "/enabled")}}
	stages := func(props map[string]any) (out []string) {
		for _, v := range openapi.List(props, "StageKeys") {
			m, _ := v.(map[string]any)
			out = append(out, openapi.Text(m, "RestApiId")+"/"+openapi.Text(m, "StageName"))
		}
		return out
	}
	had, want := stages(r.OldProps), stages(r.Props)
	for _, name := range append(slices.Clone(had), want...) {
		switch {
		case !slices.Contains(want, name):
			in.PatchOperations = append(in.PatchOperations, v1.PatchOperation{Op: shape.Ptr(v1.OpRemove), Path: shape.Ptr("/stages"), Value: &name})
		case !slices.Contains(had, name):
			in.PatchOperations = append(in.PatchOperations, v1.PatchOperation{Op: shape.Ptr(v1.OpAdd), Path: shape.Ptr("/stages"), Value: &name})
		}
	}
	if err := ask(ctx, in); err != nil {
		return res, err
	}
	if _, err := h.s.UpdateApiKey(ctx, in); err != nil {
		return res, err
	}
	return res, h.s.retag(ctx, "apikeys/"+r.PhysicalID, r)
}

func (h keyType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteApiKeyRequest{ApiKey: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteApiKey(ctx, in)
	return gone(err)
}

type planType struct{ s *Service }

func (h planType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateUsagePlanRequest)
	defaults := map[string]any{"UsagePlanName": r.PhysicalName(128, false)}
	if err := bind(ctx, in, resource.With(defaults, r.Props), map[string]string{"UsagePlanName": "Name"}); err != nil {
		return resource.Result{}, err
	}
	var err error
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, plans, id); ok || err != nil {
		return only("Id", id), err
	}
	_, err = h.s.CreateUsagePlan(step(ctx, r), in)
	return only("Id", id), err
}

func (h planType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	res := only("Id", r.PhysicalID)
	if err := ask(ctx, &v1.UpdateUsagePlanRequest{UsagePlanId: r.PhysicalID}); err != nil {
		return res, err
	}
	want := new(v1.UsagePlan)
	if err := bind(ctx, want, r.Props, map[string]string{"UsagePlanName": "Name", "Tags": ""}); err != nil {
		return res, err
	}
	_, err := h.s.changePlan(ctx, r.PhysicalID, func(p *usagePlan) error {
		p.Name, p.Description, p.Throttle, p.Quota = orElse(want.Name, p.Name), want.Description, want.Throttle, want.Quota
		p.ApiStages = append([]v1.ApiStage{}, want.ApiStages...)
		return nil
	})
	if err != nil {
		return res, err
	}
	return res, h.s.retag(ctx, "usageplans/"+r.PhysicalID, r)
}

// Delete takes the plan's stages out of it first, without which the API refuses.
func (h planType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteUsagePlanRequest{UsagePlanId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.changePlan(ctx, r.PhysicalID, func(p *usagePlan) error { p.ApiStages = []v1.ApiStage{}; return nil })
	if err == nil {
		_, err = h.s.DeleteUsagePlan(ctx, in)
	}
	return gone(err)
}

type planKeyType struct{ s *Service }

func (h planKeyType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateUsagePlanKeyRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	res := only("Id", in.KeyId+":"+in.UsagePlanId)
	if ok, err := h.s.mine(ctx, r, in.UsagePlanId, in.KeyId, exists(planKeys, in.UsagePlanId+"/"+in.KeyId)); ok || err != nil {
		return res, err
	}
	_, err := h.s.CreateUsagePlanKey(ctx, in)
	return res, err
}

func (h planKeyType) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return only("Id", r.PhysicalID), nil // all of it replaces
}

func (h planKeyType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteUsagePlanKeyRequest{UsagePlanId: prop(r, "UsagePlanId"), KeyId: prop(r, "KeyId")}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteUsagePlanKey(ctx, in)
	return gone(err)
}

type certificateType struct{ s *Service }

func (h certificateType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.GenerateClientCertificateRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	var err error
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	if _, ok, err := made(ctx, h.s, certificates, id); ok || err != nil {
		return only("ClientCertificateId", id), err
	}
	_, err = h.s.GenerateClientCertificate(step(ctx, r), in)
	return only("ClientCertificateId", id), err
}

func (h certificateType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	res := only("ClientCertificateId", r.PhysicalID)
	in := &v1.UpdateClientCertificateRequest{ClientCertificateId: r.PhysicalID, PatchOperations: []v1.PatchOperation{patchTo(r.Props, "Description", "/description")}}
	if err := ask(ctx, in); err != nil {
		return res, err
	}
	if _, err := h.s.UpdateClientCertificate(ctx, in); err != nil {
		return res, err
	}
	return res, h.s.retag(ctx, "clientcertificates/"+r.PhysicalID, r)
}

func (h certificateType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteClientCertificateRequest{ClientCertificateId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteClientCertificate(ctx, in)
	return gone(err)
}
