package restapis

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// deploy makes a deployment of an API's live configuration.
func (s *Service) deploy(ctx context.Context, tx *store.Tx, a *api, description *string) (*v1.Deployment, error) {
	c, err := live(tx, a)
	if err != nil {
		return nil, err
	}
	summary := map[string]map[string]v1.MethodSnapshot{}
	for _, r := range c.Resources {
		for name, m := range r.ResourceMethods {
			if m.MethodIntegration == nil {
				return nil, bad("No integration defined for method")
			}
			if summary[*r.Path] == nil {
				summary[*r.Path] = map[string]v1.MethodSnapshot{}
			}
			summary[*r.Path][name] = v1.MethodSnapshot{AuthorizationType: m.AuthorizationType, ApiKeyRequired: m.ApiKeyRequired}
		}
	}
	if len(summary) == 0 {
		return nil, bad("The REST API doesn't contain any methods")
	}
	now := tx.Now().UTC()
	d := &v1.Deployment{Id: shape.Ptr(newID(ctx, shortID)), Description: description, CreatedDate: &now, ApiSummary: summary}
	key := partKey(*a.Id, *d.Id, "")
	if err := deployed.Insert(tx, key, c); err != nil {
		return nil, err
	}
	return d, deployments.Insert(tx, key, d)
}

// CreateDeployment makes a deployment, and points a stage to it if one is named: one that is there, or a new one.
// With canary settings the deployment becomes the stage's canary.
func (s *Service) CreateDeployment(ctx context.Context, in *v1.CreateDeploymentRequest) (*v1.Deployment, error) {
	var d *v1.Deployment
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) (err error) {
		if d, err = s.deploy(ctx, tx, a, in.Description); err != nil || shape.Val(in.StageName) == "" {
			return err
		}
		st, err := stages.Get(tx, in.RestApiId+"/"+*in.StageName)
		fresh := missing(err, "") != err
		if err != nil && !fresh {
			return err
		}
		now := tx.Now().UTC()
		if fresh {
			st = newStage(*in.StageName, *d.Id, tx.Now())
		}
		st.LastUpdatedDate = &now
		if in.StageDescription != nil {
			st.Description = in.StageDescription
		}
		if in.Variables != nil {
			st.Variables = merged(st.Variables, in.Variables)
		}
		st.CacheClusterEnabled = orElse(in.CacheClusterEnabled, st.CacheClusterEnabled)
		st.CacheClusterSize = orElse(in.CacheClusterSize, st.CacheClusterSize)
		st.TracingEnabled = orElse(in.TracingEnabled, st.TracingEnabled)
		if c := in.CanarySettings; c != nil {
			if fresh {
				return bad("Invalid canary settings: the stage must have a deployment before it can have a canary")
			}
			st.CanarySettings = &v1.CanarySettings{PercentTraffic: or(c.PercentTraffic, 0), DeploymentId: d.Id,
				StageVariableOverrides: c.StageVariableOverrides, UseStageCache: or(c.UseStageCache, false)}
		} else {
			st.DeploymentId = d.Id
		}
		if err := s.checkStage(tx, a, st); err != nil {
			return err
		}
		return stages.Put(tx, partKey(in.RestApiId, *in.StageName, ""), st)
	})
	if err != nil {
		return nil, err
	}
	out := *d
	out.ApiSummary = nil // shown on demand: embed=apisummary
	return &out, nil
}

// orElse returns a if it is given, else b.
func orElse[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func (s *Service) GetDeployment(ctx context.Context, in *v1.GetDeploymentRequest) (*v1.Deployment, error) {
	for _, e := range in.Embed {
		if e != "apisummary" {
			return nil, bad("Requested embed parameter '%s' is not valid. Must be one of: [apisummary]", e)
		}
	}
	d, err := part(ctx, s, deployments, "Deployment", in.RestApiId, in.DeploymentId)
	if err == nil && len(in.Embed) == 0 {
		d.ApiSummary = nil
	}
	return d, err
}

func (s *Service) GetDeployments(ctx context.Context, in *v1.GetDeploymentsRequest) (*v1.Deployments, error) {
	list, next, err := partsOf(ctx, s, deployments, in.RestApiId, in.Position, in.Limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].ApiSummary = nil
	}
	return &v1.Deployments{Items: list, Position: next}, nil
}

// deploymentFields is what can be patched of a deployment.
var deploymentFields = []field[v1.Deployment]{
	{"/description", "replace", setText(func(d *v1.Deployment) **string { return &d.Description })},
}

func (s *Service) UpdateDeployment(ctx context.Context, in *v1.UpdateDeploymentRequest) (*v1.Deployment, error) {
	d, err := change(ctx, s, deployments, "Deployment", in.RestApiId, in.DeploymentId, nil, func(_ *store.Tx, d *v1.Deployment) error {
		return apply(deploymentFields, d, in.PatchOperations)
	})
	if err != nil {
		return nil, err
	}
	out := *d
	out.ApiSummary = nil
	return &out, nil
}

func (s *Service) DeleteDeployment(ctx context.Context, in *v1.DeleteDeploymentRequest) (*v1.DeleteDeploymentResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		all, err := every(tx, stages, in.RestApiId)
		if err != nil {
			return err
		}
		var active []string
		for _, st := range all {
			if shape.Val(st.DeploymentId) == in.DeploymentId || st.CanarySettings != nil && shape.Val(st.CanarySettings.DeploymentId) == in.DeploymentId {
				active = append(active, *st.StageName)
			}
		}
		if len(active) > 0 {
			slices.Sort(active)
			return bad("Active stages pointing to this deployment must be moved or deleted: %s", strings.Join(active, ", "))
		}
		if err := deployments.Delete(tx, in.RestApiId+"/"+in.DeploymentId); err != nil {
			return missing(err, "Deployment")
		}
		return deployed.Delete(tx, in.RestApiId+"/"+in.DeploymentId)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteDeploymentResponse{}, nil
}
