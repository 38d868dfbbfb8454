package restapis

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/openapi"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// patched applies lines to v and returns it as JSON, or the refusal.
func patched[T any](table []field[T], v T, lines ...string) string {
	var own T // v is shared between the cases
	if err := json.Unmarshal([]byte(openapi.JSON(v)), &own); err != nil {
		return err.Error()
	}
	v = own
	if err := apply(table, &v, patches(lines...)); err != nil {
		return message(err)
	}
	return openapi.JSON(v)
}

func TestPatch(t *testing.T) {
	api1 := api{RestApi: v1.RestApi{Name: shape.Ptr("a"), BinaryMediaTypes: []string{"image/png"}, EndpointConfiguration: &v1.EndpointConfiguration{Types: []string{"EDGE"}}, MinimumCompressionSize: shape.Ptr(int64(5))}}
	stage := v1.Stage{StageName: shape.Ptr("s"), DeploymentId: shape.Ptr("d"), Variables: map[string]string{"a": "1"}}
	plan := usagePlan{UsagePlan: v1.UsagePlan{ApiStages: []v1.ApiStage{{ApiId: shape.Ptr("api"), Stage: shape.Ptr("s")}}}}
	for _, c := range []struct{ got, want string }{
		{patched(apiFields, api1, "replace /name b", "replace /description "), `"Name":"b"`},
		{patched(apiFields, api1, "add /binaryMediaTypes/application~1pdf"), `"BinaryMediaTypes":["image/png","application/pdf"]`},
		{patched(apiFields, api1, "replace /binaryMediaTypes/image~1png image/gif"), `"BinaryMediaTypes":["image/gif"]`},
		{patched(apiFields, api1, "remove /binaryMediaTypes/image~1png", "add /binaryMediaTypes/*~1*"), `"BinaryMediaTypes":["*/*"]`},
		{patched(apiFields, api1, "remove /binaryMediaTypes/text~1plain"), `there is no such element`},
		{patched(apiFields, api1, "replace /endpointConfiguration/types/EDGE REGIONAL"), `"Types":["REGIONAL"]`},
		{patched(apiFields, api1, "replace /endpointConfiguration/types/REGIONAL EDGE"), `Invalid endpoint type specified: REGIONAL`},
		{patched(apiFields, api1, "replace /minimumCompressionSize 0"), `"MinimumCompressionSize":0`},
		{patched(apiFields, api1, "replace /minimumCompressionSize many"), `Must be an integer`},
		{patched(apiFields, api1, "replace /apiKeySource AUTHORIZER"), `"ApiKeySource":"AUTHORIZER"`},
		{patched(apiFields, api1, "replace /apiKeySource COOKIE"), `Must be one of: [AUTHORIZER, HEADER]`},
		{patched(apiFields, api1, "replace /disableExecuteApiEndpoint true"), `"DisableExecuteApiEndpoint":true`},
		{patched(apiFields, api1, "add /name x"), `Invalid patch path  '/name' specified for op 'add'. Must be one of: [/binaryMediaTypes/<type>, /endpointConfiguration/types/<type>, /endpointConfiguration/vpcEndpointIds]`},
		{patched(apiFields, api1, "test /name x"), `Invalid patch path  '/name' specified for op 'test'. Please choose supported operations`},
		{patched(apiFields, api1, "frobnicate /name x"), `Invalid patch operation 'frobnicate' specified`},
		{patched(apiFields, api1, "replace name x"), `Invalid patch path  'name' specified for op 'replace'`},
		{patched(apiFields, api1, "replace / x"), `Invalid patch path  '/'`},

		{patched(stageFields(), stage, "replace /variables/b 2", "remove /variables/a"), `"Variables":{"b":"2"}`},
		{patched(stageFields(), stage, "remove /variables/none"), `Invalid parameter name specified`},
		{patched(stageFields(), stage, "replace /*/*/logging/loglevel INFO", "replace /*/*/metrics/enabled true"), `"*/*":{"MetricsEnabled":true,"LoggingLevel":"INFO"}`},
		{patched(stageFields(), stage, "replace /~1pets~1{id}/GET/throttling/burstLimit 5"), `"~1pets~1{id}/GET":{"ThrottlingBurstLimit":5}`},
		{patched(stageFields(), stage, "replace /pets/GET/throttling/rateLimit 0.5"), `"pets/GET":{"ThrottlingRateLimit":0.5}`},
		{patched(stageFields(), stage, "replace /a/b/c/POST/logging/dataTrace true"), `"a/b/c/POST":{"DataTraceEnabled":true}`},
		{patched(stageFields(), stage, "replace /*/*/caching/ttlInSeconds 10", "remove /*/*"), `"DeploymentId":"d","StageName":"s","MethodSettings":{},`},
		{patched(stageFields(), stage, "replace /*/GET/metrics/enabled true"), `Invalid method setting path: /*/GET/metrics/enabled`},
		{patched(stageFields(), stage, "replace /pets/FETCH/metrics/enabled true"), `Invalid method setting path`},
		{patched(stageFields(), stage, "replace /*/*/logging/loglevel DEBUG"), `Must be one of: [OFF, ERROR, INFO]`},
		{patched(stageFields(), stage, "copy /deploymentId /canarySettings/deploymentId"), `Invalid patch path`},
		{patched(stageFields(), stage, "replace /canarySettings/deploymentId e", "copy /deploymentId /canarySettings/deploymentId"), `"DeploymentId":"e","StageName"`},
		{patched(stageFields(), stage, "replace /canarySettings/stageVariableOverrides/a 9", "copy /variables /canarySettings/stageVariableOverrides"), `"Variables":{"a":"9"}`},
		{patched(stageFields(), stage, "replace /accessLogSettings/format x", "remove /accessLogSettings"), `"StageName":"s","Variables"`},

		{patched(integrationFields, v1.Integration{}, "replace /uri http://x", "replace /timeoutInMillis 100", "add /cacheKeyParameters/method.request.path.id"), `"CacheKeyParameters":["method.request.path.id"]`},
		{patched(integrationFields, v1.Integration{}, "add /requestTemplates/application~1json {}", "add /requestParameters/integration.request.header.X 'a'"), `"RequestParameters":{"integration.request.header.X":"'a'"},"RequestTemplates":{"application/json":"{}"}`},
		{patched(integrationFields, v1.Integration{}, "replace /tlsConfig/insecureSkipVerification true"), `"TlsConfig":{"InsecureSkipVerification":true}`},
		{patched(integrationFields, v1.Integration{}, "replace /contentHandling CONVERT_TO_TEXT", "replace /contentHandling "), `{}`},
		{patched(methodFields, v1.Method{}, "add /requestParameters/method.request.header.X true", "add /authorizationScopes a", "add /authorizationScopes b", "remove /authorizationScopes a"), `"AuthorizationScopes":["b"]`},
		{patched(methodResponseFields, v1.MethodResponse{}, "add /responseParameters/method.response.header.X", "add /responseModels/text~1html Empty"), `"ResponseParameters":{"method.response.header.X":false},"ResponseModels":{"text/html":"Empty"}`},

		{patched(planFields, plan, "add /apiStages b:t", "remove /apiStages api:s"), `"ApiStages":[{"ApiId":"b","Stage":"t"}]`},
		{patched(planFields, plan, "add /apiStages api:s"), `already associated`},
		{patched(planFields, plan, "add /apiStages api"), `Invalid API Stage specified`},
		{patched(planFields, plan, "remove /apiStages/api:s"), `Invalid patch path  '/apiStages/api:s' specified for op 'remove'. Must be one of: [/apiStages, /apiStages/<apidId:stageName>/throttle, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /productCode, /quota, /throttle]`},
		{patched(planFields, plan, "remove /apiStages b:t"), `API Stage not found: b:t`},
		{patched(planFields, plan, "replace /apiStages/api:s/throttle/~1pets/GET/rateLimit 3"), `"Throttle":{"/pets/GET":{"RateLimit":3}}`},
		{patched(planFields, plan, "replace /apiStages/api:s/throttle//pets/GET/burstLimit 3"), `"Throttle":{"/pets/GET":{"BurstLimit":3}}`},
		{patched(planFields, plan, "replace /apiStages/api:s/throttle/~1pets~1GET/burstLimit 3", "remove /apiStages/api:s/throttle/~1pets/GET"), `"Throttle":{}`},
		{patched(planFields, plan, "replace /quota/limit 5", "add /quota/period DAY", "remove /quota", "replace /throttle/rateLimit 2.5"), `"Throttle":{"RateLimit":2.5}`},
		{patched(planFields, plan, "add /productCode x"), `not supported by Gatehouse`},
		{patched(usageFields, left{}, "add /remaining 5"), `Please choose supported operations`},
		{patched(gatewayResponseFields, v1.GatewayResponse{}, "add /responseParameters/gatewayresponse.header.X 'y'", "replace /statusCode 418"), `"StatusCode":"418","ResponseParameters":{"gatewayresponse.header.X":"'y'"}`},
		{patched(authorizerFields, v1.Authorizer{}, "add /providerARNs "+testPool, "replace /type TOKEN"), `"ProviderARNs":["` + testPool + `"]`},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Error(cmp.Diff(c.want, c.got))
		}
	}
}

func FuzzPatch(f *testing.F) {
	f.Add("replace", "/~1pets~1{id}/GET/throttling/burstLimit", "5", "")
	f.Add("remove", "/a/b", "", "")
	f.Add("copy", "/deploymentId", "", "/canarySettings/deploymentId")
	f.Add("add", "/apiStages/api:s/throttle/~1pets/GET/rateLimit", "1e300", "")
	f.Add("replace", "/variables/~0~1", "x", "")
	f.Fuzz(func(t *testing.T, op, path, value, from string) {
		ops := []v1.PatchOperation{{Op: &op, Path: &path, Value: &value, From: &from}, {Op: &op, Path: &path}}
		try(ops, stageFields(), v1.Stage{})
		try(ops, apiFields, api{RestApi: v1.RestApi{EndpointConfiguration: &v1.EndpointConfiguration{}}})
		try(ops, planFields, usagePlan{UsagePlan: v1.UsagePlan{ApiStages: []v1.ApiStage{{ApiId: shape.Ptr("api"), Stage: shape.Ptr("s")}}}})
		try(ops, integrationFields, v1.Integration{})
		try(ops, methodFields, v1.Method{})
		try(ops, domainFields, v1.DomainName{EndpointConfiguration: &v1.EndpointConfiguration{}})
		var st v1.Stage
		if apply(stageFields(), &st, ops) == nil {
			settingsOf(&st).of("/pets", "GET")
		}
	})
}

func try[T any](ops []v1.PatchOperation, table []field[T], v T) { apply(table, &v, ops) }
