package restapis

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

var (
	stageName     = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]*$`)
)

// maxVariables bounds the variables of a stage.
const maxVariables = 100

func newStage(name, deployment string, at time.Time) *v1.Stage {
	at = at.UTC()
	return &v1.Stage{StageName: &name, DeploymentId: &deployment, CacheClusterEnabled: shape.Ptr(false), CacheClusterStatus: shape.Ptr(v1.CacheClusterStatusNotAvailable),
		MethodSettings: map[string]v1.MethodSetting{}, TracingEnabled: shape.Ptr(false), CreatedDate: &at, LastUpdatedDate: &at}
}

// checkStage holds a stage against AWS's rules.
func (s *Service) checkStage(tx *store.Tx, a *api, st *v1.Stage) error {
	if len(*st.StageName) > 128 || !stageName.MatchString(*st.StageName) {
		return bad("Stage name only allows a-zA-Z0-9_-")
	}
	for _, id := range []*string{st.DeploymentId, canaryDeployment(st)} {
		if id == nil {
			continue
		}
		if _, err := deployments.Get(tx, *a.Id+"/"+*id); missing(err, "") != err {
			return bad("Deployment id does not exist")
		} else if err != nil {
			return err
		}
	}
	if shape.Val(st.CacheClusterEnabled) {
		return unsupported("A cache cluster (cacheClusterEnabled) is")
	}
	all := []map[string]string{st.Variables}
	if c := st.CanarySettings; c != nil {
		if p := shape.Val(c.PercentTraffic); p < 0 || p > 100 {
			return bad("Invalid canary percent traffic value. Must be between 0.0 and 100.0")
		}
		all = append(all, c.StageVariableOverrides)
	}
	for _, vars := range all {
		if len(vars) > maxVariables {
			return v1.LimitExceededException("The maximum number of stage variables, %d, has been exceeded", maxVariables)
		}
		for _, k := range sortedKeys(vars) {
			if len(k) > 64 || !variableName.MatchString(k) {
				return bad("Stage variable names must be alphanumeric and underscore characters: %s", k)
			}
			if len(vars[k]) > 512 || !variableValue.MatchString(vars[k]) {
				return bad("Invalid stage variable value: %s. Please use values with alphanumeric characters and the symbols ',  -', '.', '_', ':', '/', '?', '&', '=', and ','.", vars[k])
			}
		}
	}
	if v := shape.Val(st.DocumentationVersion); v != "" {
		if _, err := docVersions.Get(tx, *a.Id+"/"+v); err != nil {
			return missing(err, "Documentation version")
		}
	}
	if id := shape.Val(st.ClientCertificateId); id != "" {
		if _, err := s.certificate(tx, a.Region, id); err != nil {
			return bad("Invalid client certificate identifier specified")
		}
	}
	logs := false
	if l := st.AccessLogSettings; l != nil {
		logs = true
		d, err := arn.Parse(shape.Val(l.DestinationArn))
		switch {
		case err == nil && d.Service == "firehose":
			return unsupported("A Firehose delivery stream as the destination of access logs is")
		case err != nil || d.Service != "logs" || !strings.HasPrefix(d.Resource, "log-group:"):
			return bad("Invalid ARN specified in the request. ARNs must start with 'arn:' and be delimited by ':'. Access log destination must only contain characters a-z, A-Z, 0-9, '_', '-', '/', '.': '%s'", shape.Val(l.DestinationArn))
		case l.Format != nil && !strings.Contains(*l.Format, "$context.requestId") && !strings.Contains(*l.Format, "$context.extendedRequestId"):
			return bad("Access log format must be single line, new line character is allowed only at end of the format and must contain at least $context.requestId or $context.extendedRequestId")
		case l.Format != nil && strings.Contains(strings.TrimSuffix(*l.Format, "\n"), "\n"):
			return bad("Access log format must be single line, new line character is allowed only at end of the format")
		}
	}
	for _, m := range st.MethodSettings {
		if shape.Val(m.CachingEnabled) {
			return unsupported("Caching of responses (cachingEnabled) is")
		}
		if l := shape.Val(m.LoggingLevel); l != "" && l != "OFF" {
			logs = true
		}
	}
	if logs {
		acct, err := s.accountOf(tx, a.Region)
		if err != nil {
			return err
		}
		if shape.Val(acct.CloudwatchRoleArn) == "" {
			return bad("CloudWatch Logs role ARN must be set in account settings to enable logging")
		}
	}
	return checkTags(st.Tags)
}

func canaryDeployment(st *v1.Stage) *string {
	if st.CanarySettings == nil {
		return nil
	}
	return st.CanarySettings.DeploymentId
}

func (s *Service) CreateStage(ctx context.Context, in *v1.CreateStageRequest) (*v1.Stage, error) {
	st := newStage(in.StageName, in.DeploymentId, s.now())
	st.Description, st.Variables, st.DocumentationVersion, st.Tags = in.Description, in.Variables, in.DocumentationVersion, in.Tags
	st.CacheClusterEnabled, st.CacheClusterSize, st.TracingEnabled = orElse(in.CacheClusterEnabled, st.CacheClusterEnabled), in.CacheClusterSize, orElse(in.TracingEnabled, st.TracingEnabled)
	if in.CanarySettings != nil {
		c := *in.CanarySettings
		c.PercentTraffic, c.UseStageCache = or(c.PercentTraffic, 0), or(c.UseStageCache, false)
		c.DeploymentId = orElse(c.DeploymentId, &in.DeploymentId)
		st.CanarySettings = &c
	}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if err := s.checkStage(tx, a, st); err != nil {
			return err
		}
		return taken(stages.Insert(tx, partKey(in.RestApiId, in.StageName, ""), st), "Stage already exists")
	})
	if err != nil {
		return nil, err
	}
	return stageAnswer(st), nil
}

// stageAnswer is a stage as its owner sees it: with all settings of the methods that have some.
func stageAnswer(st *v1.Stage) *v1.Stage {
	out := *st
	out.MethodSettings = make(map[string]v1.MethodSetting, len(st.MethodSettings))
	for k, m := range st.MethodSettings {
		out.MethodSettings[k] = completed(m)
	}
	return &out
}

func (s *Service) GetStage(ctx context.Context, in *v1.GetStageRequest) (*v1.Stage, error) {
	st, err := part(ctx, s, stages, "Stage", in.RestApiId, in.StageName)
	if err != nil {
		return nil, err
	}
	return stageAnswer(st), nil
}

func (s *Service) GetStages(ctx context.Context, in *v1.GetStagesRequest) (*v1.Stages, error) {
	list, _, err := partsOf(ctx, s, stages, in.RestApiId, nil, nil)
	if err != nil {
		return nil, err
	}
	out := &v1.Stages{Item: []v1.Stage{}}
	for i := range list {
		if in.DeploymentId == nil || shape.Val(list[i].DeploymentId) == *in.DeploymentId {
			out.Item = append(out.Item, *stageAnswer(&list[i]))
		}
	}
	return out, nil
}

// canaryOf returns a stage's canary settings, which are made if they are not there.
func canaryOf(st *v1.Stage) *v1.CanarySettings {
	if st.CanarySettings == nil {
		st.CanarySettings = &v1.CanarySettings{PercentTraffic: shape.Ptr(0.0), UseStageCache: shape.Ptr(false), DeploymentId: st.DeploymentId}
	}
	return st.CanarySettings
}

func accessLogOf(st *v1.Stage) *v1.AccessLogSettings {
	if st.AccessLogSettings == nil {
		st.AccessLogSettings = &v1.AccessLogSettings{}
	}
	return st.AccessLogSettings
}

// stageFields is what can be patched of a stage.
func stageFields() []field[v1.Stage] {
	table := []field[v1.Stage]{
		{"/accessLogSettings", "remove", func(st *v1.Stage, _ patch) error { st.AccessLogSettings = nil; return nil }},
		{"/accessLogSettings/destinationArn", "add replace", setText(func(st *v1.Stage) **string { return &accessLogOf(st).DestinationArn })},
		{"/accessLogSettings/format", "add replace", setText(func(st *v1.Stage) **string { return &accessLogOf(st).Format })},
		{"/cacheClusterEnabled", "replace", setBool(func(st *v1.Stage) **bool { return &st.CacheClusterEnabled })},
		{"/cacheClusterSize", "replace", setText(func(st *v1.Stage) **string { return &st.CacheClusterSize })},
		{"/canarySettings", "remove", func(st *v1.Stage, _ patch) error { st.CanarySettings = nil; return nil }},
		{"/canarySettings/deploymentId", "add replace", setName(func(st *v1.Stage) **string { return &canaryOf(st).DeploymentId })},
		{"/canarySettings/percentTraffic", "add replace", setNumber(func(st *v1.Stage) **float64 { return &canaryOf(st).PercentTraffic })},
		{"/canarySettings/stageVariableOverrides", "remove", func(st *v1.Stage, _ patch) error { canaryOf(st).StageVariableOverrides = nil; return nil }},
		{"/canarySettings/stageVariableOverrides/{name}", "add remove replace", setKey(func(st *v1.Stage) *map[string]string { return &canaryOf(st).StageVariableOverrides })},
		{"/canarySettings/useStageCache", "add replace", setBool(func(st *v1.Stage) **bool { return &canaryOf(st).UseStageCache })},
		{"/clientCertificateId", "replace remove", setText(func(st *v1.Stage) **string { return &st.ClientCertificateId })},
		{"/deploymentId", "replace copy", func(st *v1.Stage, p patch) error {
			if p.op == v1.OpCopy {
				if p.from != "/canarySettings/deploymentId" || st.CanarySettings == nil {
					return bad("Invalid patch path  '%s' specified for op 'copy'. Must be one of: [/canarySettings/deploymentId]", p.from)
				}
				st.DeploymentId = st.CanarySettings.DeploymentId
				return nil
			}
			return setName(func(st *v1.Stage) **string { return &st.DeploymentId })(st, p)
		}},
		{"/description", "replace", setText(func(st *v1.Stage) **string { return &st.Description })},
		{"/documentationVersion", "replace remove", setText(func(st *v1.Stage) **string { return &st.DocumentationVersion })},
		{"/tracingEnabled", "replace", setBool(func(st *v1.Stage) **bool { return &st.TracingEnabled })},
		{"/variables", "copy", func(st *v1.Stage, p patch) error {
			if p.from != "/canarySettings/stageVariableOverrides" || st.CanarySettings == nil {
				return bad("Invalid patch path  '%s' specified for op 'copy'. Must be one of: [/canarySettings/stageVariableOverrides]", p.from)
			}
			st.Variables = merged(st.Variables, st.CanarySettings.StageVariableOverrides)
			return nil
		}},
		{"/variables/{name}", "add remove replace", setKey(func(st *v1.Stage) *map[string]string { return &st.Variables })},
	}
	return append(table, settingFields()...)
}

func (s *Service) UpdateStage(ctx context.Context, in *v1.UpdateStageRequest) (*v1.Stage, error) {
	return s.changeStage(ctx, in.RestApiId, in.StageName, func(st *v1.Stage) error {
		return apply(stageFields(), st, in.PatchOperations)
	})
}

// changeStage applies f to a stage, checks and stores it.
func (s *Service) changeStage(ctx context.Context, apiID, name string, f func(st *v1.Stage) error) (*v1.Stage, error) {
	var out *v1.Stage
	err := s.update(ctx, apiID, func(tx *store.Tx, a *api) error {
		st, err := stages.Get(tx, apiID+"/"+name)
		if err != nil {
			return missing(err, "Stage")
		}
		if err := f(st); err != nil {
			return err
		}
		if err := s.checkStage(tx, a, st); err != nil {
			return err
		}
		now := tx.Now().UTC()
		st.LastUpdatedDate = &now
		out = stageAnswer(st)
		return stages.Put(tx, partKey(apiID, name, ""), st)
	})
	return out, err
}

// DeleteStage deletes a stage, and takes it out of the usage plans that it is in.
func (s *Service) DeleteStage(ctx context.Context, in *v1.DeleteStageRequest) (*v1.DeleteStageResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, a *api) error {
		if err := unmapped(tx, in.RestApiId, in.StageName); err != nil {
			return err
		}
		if err := stages.Delete(tx, in.RestApiId+"/"+in.StageName); err != nil {
			return missing(err, "Stage")
		}
		return leavePlans(tx, a.Region, in.RestApiId, in.StageName)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteStageResponse{}, nil
}

// FlushStageCache empties the cache of responses, which no stage has.
func (s *Service) FlushStageCache(ctx context.Context, in *v1.FlushStageCacheRequest) (*v1.FlushStageCacheResponse, error) {
	if _, err := part(ctx, s, stages, "Stage", in.RestApiId, in.StageName); err != nil {
		return nil, err
	}
	return &v1.FlushStageCacheResponse{}, nil
}

// FlushStageAuthorizersCache makes the data plane forget what the stage's authorizers have decided.
func (s *Service) FlushStageAuthorizersCache(ctx context.Context, in *v1.FlushStageAuthorizersCacheRequest) (*v1.FlushStageAuthorizersCacheResponse, error) {
	if _, err := part(ctx, s, stages, "Stage", in.RestApiId, in.StageName); err != nil {
		return nil, err
	}
	if s.tester != nil {
		s.tester.FlushAuthorizers(in.RestApiId, in.StageName)
	}
	return &v1.FlushStageAuthorizersCacheResponse{}, nil
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
