package httpapis

import (
	"context"
	"errors"
	"strings"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

func (s *Service) CreateStage(ctx context.Context, in *v2.CreateStageRequest) (*v2.CreateStageResponse, error) {
	now := s.now().UTC()
	st := &stage{StageName: &in.StageName, AccessLogSettings: in.AccessLogSettings, AutoDeploy: shape.Ptr(shape.Val(in.AutoDeploy)),
		ClientCertificateId: in.ClientCertificateId, CreatedDate: &now, LastUpdatedDate: &now, DefaultRouteSettings: in.DefaultRouteSettings,
		DeploymentId: in.DeploymentId, Description: in.Description, RouteSettings: in.RouteSettings, StageVariables: in.StageVariables, Tags: in.Tags}
	if st.DefaultRouteSettings == nil {
		st.DefaultRouteSettings = &v2.RouteSettings{}
	}
	if st.DefaultRouteSettings.DetailedMetricsEnabled == nil {
		st.DefaultRouteSettings.DetailedMetricsEnabled = shape.Ptr(false)
	}
	if st.RouteSettings == nil {
		st.RouteSettings = map[string]v2.RouteSettings{}
	}
	if st.StageVariables == nil {
		st.StageVariables = map[string]string{}
	}
	if st.Tags == nil {
		st.Tags = map[string]string{}
	}
	if *st.AutoDeploy && st.DeploymentId != nil {
		return nil, bad("Deployment ID cannot be set on stage because AutoDeploy is enabled")
	}
	if err := checkStage(st); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		if err := pointsToDeployment(tx, in.ApiId, st); err != nil {
			return err
		}
		err := stages.Insert(tx, partKey(in.ApiId, in.StageName, in.StageName), st)
		if errors.Is(err, store.ErrExists) {
			return v2.ConflictException("Stage already exists")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateStageResponse(*st)), nil
}

// pointsToDeployment checks that the deployment of a stage exists.
func pointsToDeployment(tx *store.Tx, apiID string, st *stage) error {
	if st.DeploymentId == nil {
		return nil
	}
	_, err := deployments.Get(tx, apiID+"/"+*st.DeploymentId)
	return missing(err, "Deployment")
}

func (s *Service) GetStage(ctx context.Context, in *v2.GetStageRequest) (*v2.GetStageResponse, error) {
	return part(ctx, s, stages, "Stage", in.ApiId, in.StageName)
}

func (s *Service) GetStages(ctx context.Context, in *v2.GetStagesRequest) (*v2.GetStagesResponse, error) {
	list, next, err := page(ctx, s, stages, in.ApiId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetStagesResponse{Items: make([]v2.Stage, len(list)), NextToken: next}
	for i, st := range list {
		out.Items[i] = v2.Stage{StageName: shape.Val(st.StageName), AccessLogSettings: st.AccessLogSettings, ApiGatewayManaged: st.ApiGatewayManaged,
			AutoDeploy: st.AutoDeploy, CreatedDate: st.CreatedDate, DefaultRouteSettings: st.DefaultRouteSettings, DeploymentId: st.DeploymentId,
			Description: st.Description, LastDeploymentStatusMessage: st.LastDeploymentStatusMessage, LastUpdatedDate: st.LastUpdatedDate,
			RouteSettings: st.RouteSettings, StageVariables: st.StageVariables, Tags: st.Tags}
	}
	return out, nil
}

// changeStage applies f to a stage, checks and stores it.
func (s *Service) changeStage(ctx context.Context, apiID, name string, f func(tx *store.Tx, a *api, st *stage) error) (out *stage, err error) {
	err = s.update(ctx, apiID, func(tx *store.Tx, a *api) error {
		st, err := stages.Get(tx, apiID+"/"+name)
		if err != nil {
			return missing(err, "Stage")
		}
		if err := f(tx, a, st); err != nil {
			return err
		}
		if err := checkStage(st); err != nil {
			return err
		}
		now := tx.Now().UTC()
		st.LastUpdatedDate = &now
		out = st
		return stages.Put(tx, partKey(apiID, name, name), st)
	})
	return out, err
}

func (s *Service) UpdateStage(ctx context.Context, in *v2.UpdateStageRequest) (*v2.UpdateStageResponse, error) {
	st, err := s.changeStage(ctx, in.ApiId, in.StageName, func(tx *store.Tx, a *api, st *stage) error {
		set(&st.AccessLogSettings, in.AccessLogSettings)
		set(&st.ClientCertificateId, in.ClientCertificateId)
		set(&st.Description, in.Description)
		if in.DefaultRouteSettings != nil {
			mergeSettings(st.DefaultRouteSettings, in.DefaultRouteSettings)
		}
		for k, v := range in.RouteSettings {
			to := st.RouteSettings[k]
			mergeSettings(&to, &v)
			st.RouteSettings[k] = to
		}
		merge(&st.StageVariables, in.StageVariables)
		if in.AutoDeploy != nil && *in.AutoDeploy != shape.Val(st.AutoDeploy) {
			st.AutoDeploy = in.AutoDeploy
			if *in.AutoDeploy {
				st.DeploymentId = nil
			} else if in.DeploymentId == nil {
				d, err := deploy(tx, a, newID(ctx, ident.AuthorizerID), nil, true)
				if err != nil {
					return err
				}
				st.DeploymentId = d.DeploymentId
			}
		}
		if in.DeploymentId != nil {
			if shape.Val(st.AutoDeploy) {
				return bad("Deployment ID cannot be set on stage because AutoDeploy is enabled")
			}
			st.DeploymentId = in.DeploymentId
			return pointsToDeployment(tx, in.ApiId, st)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.UpdateStageResponse(*st)), nil
}

func mergeSettings(to, from *v2.RouteSettings) {
	set(&to.DataTraceEnabled, from.DataTraceEnabled)
	set(&to.DetailedMetricsEnabled, from.DetailedMetricsEnabled)
	set(&to.LoggingLevel, from.LoggingLevel)
	set(&to.ThrottlingBurstLimit, from.ThrottlingBurstLimit)
	set(&to.ThrottlingRateLimit, from.ThrottlingRateLimit)
}

func (s *Service) DeleteStage(ctx context.Context, in *v2.DeleteStageRequest) (*v2.DeleteStageResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		if err := unmapped(tx, in.ApiId, in.StageName); err != nil {
			return err
		}
		return missing(stages.Delete(tx, in.ApiId+"/"+in.StageName), "Stage")
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteStageResponse{}, nil
}

func (s *Service) DeleteAccessLogSettings(ctx context.Context, in *v2.DeleteAccessLogSettingsRequest) (*v2.DeleteAccessLogSettingsResponse, error) {
	_, err := s.changeStage(ctx, in.ApiId, in.StageName, func(tx *store.Tx, a *api, st *stage) error {
		st.AccessLogSettings = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteAccessLogSettingsResponse{}, nil
}

func (s *Service) DeleteRouteSettings(ctx context.Context, in *v2.DeleteRouteSettingsRequest) (*v2.DeleteRouteSettingsResponse, error) {
	_, err := s.changeStage(ctx, in.ApiId, in.StageName, func(tx *store.Tx, a *api, st *stage) error {
		if _, ok := st.RouteSettings[in.RouteKey]; !ok {
			return v2.NotFoundException("Invalid Route settings identifier specified")
		}
		delete(st.RouteSettings, in.RouteKey)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteRouteSettingsResponse{}, nil
}

// live reads the configuration that an API has now.
func live(tx *store.Tx, a *api) (*config, error) {
	c := &config{CORS: a.CorsConfiguration}
	var e1, e2, e3 error
	c.Routes, _, e1 = routes.List(tx, *a.ApiId, "", 0)
	c.Integrations, _, e2 = integrations.List(tx, *a.ApiId, "", 0)
	c.Authorizers, _, e3 = authorizers.List(tx, *a.ApiId, "", 0)
	return c, errors.Join(e1, e2, e3)
}

// deploy makes a deployment, of the given id, of an API's live configuration.
func deploy(tx *store.Tx, a *api, id string, description *string, auto bool) (*deployment, error) {
	c, err := live(tx, a)
	if err != nil {
		return nil, err
	}
	if len(c.Routes) == 0 && !auto {
		return nil, bad("At least one route is required before deploying the Api.")
	}
	now := tx.Now().UTC()
	d := &deployment{AutoDeployed: &auto, CreatedDate: &now, DeploymentId: &id,
		DeploymentStatus: shape.Ptr(v2.DeploymentStatusDeployed), Description: description}
	key := partKey(*a.ApiId, *d.DeploymentId, "")
	if err := deployed.Insert(tx, key, c); err != nil {
		return nil, err
	}
	return d, deployments.Insert(tx, key, d)
}

// CreateDeployment makes a deployment, and points a stage to it if one is named.
func (s *Service) CreateDeployment(ctx context.Context, in *v2.CreateDeploymentRequest) (*v2.CreateDeploymentResponse, error) {
	var d *deployment
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) (err error) {
		if d, err = deploy(tx, a, newID(ctx, ident.AuthorizerID), in.Description, false); err != nil || shape.Val(in.StageName) == "" {
			return err
		}
		st, err := stages.Get(tx, in.ApiId+"/"+*in.StageName)
		if err != nil {
			return missing(err, "Stage")
		}
		if shape.Val(st.AutoDeploy) {
			return bad("Deployment ID cannot be set on stage because AutoDeploy is enabled")
		}
		now := tx.Now().UTC()
		st.DeploymentId, st.LastUpdatedDate = d.DeploymentId, &now
		return stages.Put(tx, partKey(in.ApiId, *in.StageName, *in.StageName), st)
	})
	if err != nil {
		return nil, err
	}
	return shape.Ptr(v2.CreateDeploymentResponse(*d)), nil
}

func (s *Service) GetDeployment(ctx context.Context, in *v2.GetDeploymentRequest) (*v2.GetDeploymentResponse, error) {
	d, err := part(ctx, s, deployments, "Deployment", in.ApiId, in.DeploymentId)
	return (*v2.GetDeploymentResponse)(d), err
}

func (s *Service) GetDeployments(ctx context.Context, in *v2.GetDeploymentsRequest) (*v2.GetDeploymentsResponse, error) {
	list, next, err := page(ctx, s, deployments, in.ApiId, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &v2.GetDeploymentsResponse{Items: make([]v2.Deployment, len(list)), NextToken: next}
	for i, d := range list {
		out.Items[i] = *d
	}
	return out, nil
}

func (s *Service) UpdateDeployment(ctx context.Context, in *v2.UpdateDeploymentRequest) (*v2.UpdateDeploymentResponse, error) {
	var d *deployment
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) (err error) {
		if d, err = deployments.Get(tx, in.ApiId+"/"+in.DeploymentId); err != nil {
			return missing(err, "Deployment")
		}
		set(&d.Description, in.Description)
		return deployments.Put(tx, partKey(in.ApiId, in.DeploymentId, ""), d)
	})
	return (*v2.UpdateDeploymentResponse)(d), err
}

func (s *Service) DeleteDeployment(ctx context.Context, in *v2.DeleteDeploymentRequest) (*v2.DeleteDeploymentResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, a *api) error {
		all, _, err := stages.List(tx, in.ApiId, "", 0)
		if err != nil {
			return err
		}
		var active []string
		for _, st := range all {
			if shape.Val(st.DeploymentId) == in.DeploymentId {
				active = append(active, *st.StageName)
			}
		}
		if len(active) > 0 {
			return bad("Active stages pointing to this deployment must be moved or deleted: %s", strings.Join(active, ", "))
		}
		if err := deployments.Delete(tx, in.ApiId+"/"+in.DeploymentId); err != nil {
			return missing(err, "Deployment")
		}
		return deployed.Delete(tx, in.ApiId+"/"+in.DeploymentId)
	})
	if err != nil {
		return nil, err
	}
	return &v2.DeleteDeploymentResponse{}, nil
}
