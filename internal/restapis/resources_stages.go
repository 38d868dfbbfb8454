package restapis

import (
	"context"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// bindStage reads a stage's settings: the properties of a Stage, or the StageDescription of a Deployment, whose settings for
// all methods stand beside the others.
func bindStage(ctx context.Context, props map[string]any) (*v1.Stage, error) {
	st, all := new(v1.Stage), map[string]any{}
	rename := map[string]string{"AccessLogSetting": "AccessLogSettings", "CanarySetting": "CanarySettings", "MethodSettings": "", "RestApiId": "", "Tags": ""}
	for _, name := range []string{"CacheDataEncrypted", "CacheTtlInSeconds", "CachingEnabled", "DataTraceEnabled", "LoggingLevel", "MetricsEnabled", "ThrottlingBurstLimit", "ThrottlingRateLimit"} {
		rename[name] = ""
		if v, ok := props[name]; ok {
			all[name] = v
		}
	}
	if err := bind(ctx, st, props, rename); err != nil {
		return nil, err
	}
	st.MethodSettings = map[string]v1.MethodSetting{}
	if len(all) > 0 {
		var m v1.MethodSetting
		if err := bind(ctx, &m, all, nil); err != nil {
			return nil, err
		}
		st.MethodSettings["*/*"] = m
	}
	for _, v := range openapi.List(props, "MethodSettings") {
		p, _ := v.(map[string]any)
		var m v1.MethodSetting
		if err := bind(ctx, &m, p, map[string]string{"HttpMethod": "", "ResourcePath": ""}); err != nil {
			return nil, err
		}
		path, method := openapi.Text(p, "ResourcePath"), openapi.Text(p, "HttpMethod")
		if path == "" || method == "" {
			return nil, bad("Method settings need a ResourcePath and an HttpMethod")
		}
		st.MethodSettings[strings.TrimPrefix(path, "/")+"/"+method] = m
	}
	return st, nil
}

// settle gives a stage the settings of another that came of properties. What those do not say is AWS's default.
func settle(st, from *v1.Stage) {
	st.Description, st.Variables, st.DocumentationVersion = from.Description, from.Variables, from.DocumentationVersion
	st.CacheClusterEnabled, st.CacheClusterSize, st.TracingEnabled = or(from.CacheClusterEnabled, false), from.CacheClusterSize, or(from.TracingEnabled, false)
	st.MethodSettings, st.AccessLogSettings, st.ClientCertificateId = from.MethodSettings, from.AccessLogSettings, from.ClientCertificateId
	st.DeploymentId = orElse(from.DeploymentId, st.DeploymentId)
	if c := from.CanarySettings; c != nil {
		c.PercentTraffic, c.UseStageCache, c.DeploymentId = or(c.PercentTraffic, 0), or(c.UseStageCache, false), orElse(c.DeploymentId, st.DeploymentId)
	}
	st.CanarySettings = from.CanarySettings
}

type stageType struct{ s *Service }

func (h stageType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id, name := prop(r, "RestApiId"), prop(r, "StageName")
	from, err := bindStage(ctx, r.Props)
	if err != nil {
		return resource.Result{}, err
	}
	tags, err := r.AllTags("Tags")
	if err != nil {
		return resource.Result{}, err
	}
	if name == "" || from.DeploymentId == nil {
		return resource.Result{}, bad("A stage needs a StageName and a DeploymentId")
	}
	if err := ask(ctx, &v1.CreateStageRequest{RestApiId: id, StageName: name, DeploymentId: *from.DeploymentId, Tags: tags}); err != nil {
		return resource.Result{}, err
	}
	res := resource.Result{PhysicalID: name}
	if ok, err := h.s.mine(ctx, r, id, name, exists(stages, id+"/"+name)); ok || err != nil {
		return res, err
	}
	return res, h.s.update(ctx, id, func(tx *store.Tx, a *api) error {
		st := newStage(name, *from.DeploymentId, tx.Now())
		settle(st, from)
		st.Tags = tags
		if err := h.s.checkStage(tx, a, st); err != nil {
			return err
		}
		return taken(stages.Insert(tx, partKey(id, name, ""), st), "Stage already exists")
	})
}

func (h stageType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id, res := prop(r, "RestApiId"), resource.Result{PhysicalID: r.PhysicalID}
	if err := ask(ctx, &v1.UpdateStageRequest{RestApiId: id, StageName: r.PhysicalID}); err != nil {
		return res, err
	}
	from, err := bindStage(ctx, r.Props)
	if err != nil {
		return res, err
	}
	if _, err := h.s.changeStage(ctx, id, r.PhysicalID, func(st *v1.Stage) error { settle(st, from); return nil }); err != nil {
		return res, err
	}
	return res, h.s.retag(ctx, "restapis/"+id+"/stages/"+r.PhysicalID, r)
}

func (h stageType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteStageRequest{RestApiId: prop(r, "RestApiId"), StageName: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteStage(ctx, in)
	return gone(err)
}

type deploymentType struct{ s *Service }

func (h deploymentType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateDeploymentRequest)
	if err := bind(ctx, in, r.Props, map[string]string{"DeploymentCanarySettings": "CanarySettings", "StageDescription": ""}); err != nil {
		return resource.Result{}, err
	}
	id := stepID(r, shortID)
	_, ok, err := made(ctx, h.s, deployments, in.RestApiId+"/"+id)
	if err != nil {
		return resource.Result{}, err
	}
	if !ok {
		if _, err := h.s.CreateDeployment(step(ctx, r), in); err != nil {
			return resource.Result{}, err
		}
	}
	return only("DeploymentId", id), h.describe(ctx, r)
}

// describe gives the deployment's stage the settings of StageDescription.
func (h deploymentType) describe(ctx context.Context, r *resource.Request) error {
	props, name := openapi.Object(r.Props, "StageDescription"), prop(r, "StageName")
	if props == nil || name == "" {
		if props != nil {
			return bad("StageDescription must be used with StageName")
		}
		return nil
	}
	from, err := bindStage(ctx, props)
	if err != nil {
		return err
	}
	tags, err := resource.Tags(props["Tags"])
	if err != nil {
		return err
	}
	_, err = h.s.changeStage(ctx, prop(r, "RestApiId"), name, func(st *v1.Stage) error {
		canary := st.CanarySettings
		settle(st, from)
		st.CanarySettings, st.Tags = orElse(from.CanarySettings, canary), merged(st.Tags, tags)
		return nil
	})
	return err
}

func (h deploymentType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id, res := prop(r, "RestApiId"), only("DeploymentId", r.PhysicalID)
	in := &v1.UpdateDeploymentRequest{RestApiId: id, DeploymentId: r.PhysicalID, PatchOperations: []v1.PatchOperation{patchTo(r.Props, "Description", "/description")}}
	if err := ask(ctx, in); err != nil {
		return res, err
	}
	if _, err := h.s.UpdateDeployment(ctx, in); err != nil {
		return res, err
	}
	name := prop(r, "StageName")
	if name == "" {
		return res, nil
	}
	if err := ask(ctx, &v1.UpdateStageRequest{RestApiId: id, StageName: name}); err != nil {
		return res, err
	}
	if old, _ := r.OldProps["StageName"].(string); old != name {
		err := h.s.update(ctx, id, func(tx *store.Tx, a *api) error {
			st, err := stages.Get(tx, id+"/"+name)
			if missing(err, "") != err {
				st = newStage(name, r.PhysicalID, tx.Now())
			} else if err != nil {
				return err
			}
			st.DeploymentId = &r.PhysicalID
			if err := h.s.checkStage(tx, a, st); err != nil {
				return err
			}
			return stages.Put(tx, partKey(id, name, ""), st)
		})
		if err != nil {
			return res, err
		}
	}
	return res, h.describe(ctx, r)
}

// Delete deletes a deployment, and the stage that it made if that points to it still: as CloudFormation does.
func (h deploymentType) Delete(ctx context.Context, r *resource.Request) error {
	id, name := prop(r, "RestApiId"), prop(r, "StageName")
	in := &v1.DeleteDeploymentRequest{RestApiId: id, DeploymentId: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	if name != "" {
		st, ok, err := made(ctx, h.s, stages, id+"/"+name)
		if err != nil {
			return err
		}
		if ok && shape.Val(st.DeploymentId) == r.PhysicalID {
			in := &v1.DeleteStageRequest{RestApiId: id, StageName: name}
			if err := ask(ctx, in); err != nil {
				return err
			}
			if _, err := h.s.DeleteStage(ctx, in); gone(err) != nil {
				return err
			}
		}
	}
	_, err := h.s.DeleteDeployment(ctx, in)
	return gone(err)
}

type accountType struct{ s *Service }

func (h accountType) put(ctx context.Context, id string, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateAccountRequest{PatchOperations: []v1.PatchOperation{patchTo(r.Props, "CloudWatchRoleArn", "/cloudwatchRoleArn")}}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateAccount(ctx, in)
	return only("Id", id), err
}

func (h accountType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r.PhysicalName(128, false), r)
}

func (h accountType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.put(ctx, r.PhysicalID, r)
}

// Delete leaves the account's settings as they are, as CloudFormation does: they are not the stack's alone.
func (h accountType) Delete(ctx context.Context, _ *resource.Request) error {
	return ask(ctx, &v1.UpdateAccountRequest{})
}

type domainType struct{ s *Service }

func (h domainType) result(d *v1.DomainName) resource.Result {
	attrs := map[string]any{"DomainNameArn": *d.DomainNameArn}
	for name, v := range map[string]*string{"DistributionDomainName": d.DistributionDomainName, "DistributionHostedZoneId": d.DistributionHostedZoneId,
		"RegionalDomainName": d.RegionalDomainName, "RegionalHostedZoneId": d.RegionalHostedZoneId} {
		attrs[name] = shape.Val(v)
	}
	return resource.Result{PhysicalID: *d.DomainName, Attrs: attrs}
}

func (h domainType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateDomainNameRequest)
	if err := bind(ctx, in, r.Props, nil); err != nil {
		return resource.Result{}, err
	}
	var err error
	if in.Tags, err = r.AllTags("Tags"); err != nil {
		return resource.Result{}, err
	}
	name := strings.ToLower(in.DomainName)
	if ok, err := h.s.mine(ctx, r, "", name, func(tx *store.Tx) error { return domains.Exists(tx, name) }); err != nil {
		return resource.Result{}, err
	} else if ok {
		d, err := h.s.GetDomainName(ctx, &v1.GetDomainNameRequest{DomainName: name})
		if err != nil {
			return resource.Result{}, err
		}
		return h.result(d), nil
	}
	d, err := h.s.CreateDomainName(ctx, in)
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(d), nil
}

func (h domainType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := ask(ctx, &v1.UpdateDomainNameRequest{DomainName: r.PhysicalID}); err != nil {
		return resource.Result{}, err
	}
	in := new(v1.DomainName)
	if err := bind(ctx, in, r.Props, map[string]string{"Tags": ""}); err != nil {
		return resource.Result{}, err
	}
	d, err := h.s.changeDomain(ctx, r.PhysicalID, func(d *v1.DomainName) error {
		d.CertificateArn, d.RegionalCertificateArn, d.EndpointConfiguration, d.SecurityPolicy = in.CertificateArn, in.RegionalCertificateArn, in.EndpointConfiguration, in.SecurityPolicy
		d.EndpointAccessMode, d.OwnershipVerificationCertificateArn = in.EndpointAccessMode, in.OwnershipVerificationCertificateArn
		d.MutualTlsAuthentication = &v1.MutualTlsAuthentication{TruststoreUri: shape.Ptr("")}
		if m := in.MutualTlsAuthentication; m != nil {
			d.MutualTlsAuthentication = m
		}
		d.RoutingMode = or(in.RoutingMode, v1.RoutingModeBasePathMappingOnly)
		return nil
	})
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(d), h.s.retag(ctx, "domainnames/"+r.PhysicalID, r)
}

func (h domainType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteDomainNameRequest{DomainName: r.PhysicalID}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteDomainName(ctx, in)
	return gone(err)
}

type mappingType struct{ s *Service }

func (h mappingType) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(v1.CreateBasePathMappingRequest)
	props := resource.With(r.Props, nil)
	if props["RestApiId"] == nil {
		return resource.Result{}, bad("RestApiId is required for a base path mapping")
	}
	if err := bind(ctx, in, props, map[string]string{"Id": ""}); err != nil {
		return resource.Result{}, err
	}
	name, key := strings.ToLower(in.DomainName), keyOf(shape.Val(in.BasePath))
	res := resource.Result{PhysicalID: name + "|" + *or(opt(key), noBasePath)}
	if ok, err := h.s.mine(ctx, r, "", name+"/"+key, func(tx *store.Tx) error { return domains.HasMapping(tx, name, key) }); ok || err != nil {
		return res, err
	}
	_, err := h.s.CreateBasePathMapping(ctx, in)
	return res, err
}

func (h mappingType) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := &v1.UpdateBasePathMappingRequest{DomainName: prop(r, "DomainName"), BasePath: prop(r, "BasePath"),
		PatchOperations: []v1.PatchOperation{patchTo(r.Props, "RestApiId", "/restapiId"), patchTo(r.Props, "Stage", "/stage")}}
	if err := ask(ctx, in); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.UpdateBasePathMapping(ctx, in)
	return resource.Result{PhysicalID: r.PhysicalID}, err
}

func (h mappingType) Delete(ctx context.Context, r *resource.Request) error {
	in := &v1.DeleteBasePathMappingRequest{DomainName: prop(r, "DomainName"), BasePath: prop(r, "BasePath")}
	if err := ask(ctx, in); err != nil {
		return err
	}
	_, err := h.s.DeleteBasePathMapping(ctx, in)
	return gone(err)
}
