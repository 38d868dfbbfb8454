package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// at walks into a decoded answer: "a.b.0.c".
func at(t testing.TB, v any, path string) string {
	t.Helper()
	for p := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			var i int
			fmt.Sscan(p, &i)
			if i >= len(x) {
				return ""
			}
			v = x[i]
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// TestRestAPIsByCLI makes an API by hand, a call for each click in the console: what seed 004 describes, and what the
// console offers beside it.
func TestRestAPIsByCLI(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		aws := s.aws(t)
		v1 := func(args ...string) map[string]any {
			t.Helper()
			return aws.json(t, append([]string{"apigateway"}, args...)...)
		}
		refused := func(operation, wanted string, args ...string) {
			t.Helper()
			if !strings.Contains(wanted, " | ") {
				wanted = "BadRequestException | " + wanted
			}
			aws.refused(t, operation, wanted+"…", append([]string{"apigateway"}, args...)...)
		}
		want := func(v map[string]any, path, value string) {
			t.Helper()
			if got := at(t, v, path); got != value {
				t.Errorf("%s is %q, want %q, in %v", path, got, value, v)
			}
		}
		pool := at(t, aws.json(t, "cognito-idp", "create-user-pool", "--pool-name", "todo"), "UserPool.Arn")

		// Create API, create authorizer.
		a := v1("create-rest-api", "--name", "todo", "--endpoint-configuration", "types=REGIONAL")
		id := at(t, a, "id")
		root := at(t, v1("get-resources", "--rest-api-id", id), "items.0.id")
		want(a, "apiKeySource", "HEADER")
		want(a, "endpointConfiguration.types.0", "REGIONAL")
		z := at(t, v1("create-authorizer", "--rest-api-id", id, "--name", "todo-authorizer", "--type", "COGNITO_USER_POOLS", "--provider-arns", pool, "--identity-source", "method.request.header.Authorization"), "id")

		// Create resource, create methods, set their integration, responses.
		r := v1("create-resource", "--rest-api-id", id, "--parent-id", root, "--path-part", "todo")
		res := at(t, r, "id")
		want(r, "path", "/todo")
		refused("CreateResource", "ConflictException | Another resource with the same parent already has this name: todo", "create-resource", "--rest-api-id", id, "--parent-id", root, "--path-part", "todo")
		method := []string{"--rest-api-id", id, "--resource-id", res, "--http-method", "GET"}
		with := func(name string, more ...string) []string { return append(append([]string{name}, method...), more...) }
		want(v1(with("put-method", "--authorization-type", "NONE", "--request-parameters", "method.request.querystring.page=true")...), "apiKeyRequired", "false")
		want(v1(with("put-method-response", "--status-code", "200", "--response-models", "application/json=Empty", "--response-parameters", "method.response.header.Access-Control-Allow-Origin=false")...), "statusCode", "200")
		want(v1(with("put-integration", "--type", "MOCK", "--request-templates", `{"application/json":"{\"statusCode\": 200}"}`)...), "passthroughBehavior", "WHEN_NO_MATCH")
		want(v1(with("put-integration-response", "--status-code", "200", "--response-templates", `{"application/json":"{\"tasks\":[]}"}`,
			"--response-parameters", `{"method.response.header.Access-Control-Allow-Origin":"'*'"}`)...), "statusCode", "200")

		// Deploy to a new stage.
		v1("create-deployment", "--rest-api-id", id, "--stage-name", "todo", "--variables", "table=tasks")
		st := v1("get-stage", "--rest-api-id", id, "--stage-name", "todo")
		want(st, "variables.table", "tasks")
		want(st, "cacheClusterStatus", "NOT_AVAILABLE")

		// Method request: from NONE to the authorizer, and what else the page offers.
		m := v1(with("update-method", "--patch-operations", "op=replace,path=/authorizationType,value=COGNITO_USER_POOLS", "op=replace,path=/authorizerId,value="+z,
			"op=replace,path=/apiKeyRequired,value=true", "op=add,path=/requestParameters/method.request.header.X,value=false")...)
		want(m, "authorizationType", "COGNITO_USER_POOLS")
		want(m, "authorizerId", z)
		refused("UpdateMethod", "Invalid patch path  '/nothing' specified for op 'replace'. Must be one of: [/apiKeyRequired, ", with("update-method", "--patch-operations", "op=replace,path=/nothing,value=x")...)
		want(v1("get-resource", "--rest-api-id", id, "--resource-id", res, "--embed", "methods"), "resourceMethods.GET.methodIntegration.type", "MOCK")
		want(v1(with("update-integration", "--patch-operations", "op=add,path=/requestTemplates/text~1plain,value=hello")...), "requestTemplates.text/plain", "hello")
		want(v1(with("update-integration-response", "--status-code", "200", "--patch-operations", "op=replace,path=/selectionPattern,value=.*")...), "selectionPattern", ".*")

		// Models and validators.
		v1("create-model", "--rest-api-id", id, "--name", "Task", "--content-type", "application/json", "--schema", `{"type":"object","required":["name"]}`)
		refused("CreateModel", "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. JSON Reference \"http://169.254.169.254/\" is not supported", "create-model", "--rest-api-id", id, "--name", "Bad", "--content-type", "application/json", "--schema", `{"$ref":"http://169.254.169.254/"}`)
		v1("create-request-validator", "--rest-api-id", id, "--name", "body", "--validate-request-body")
		// Gateway responses.
		want(v1("put-gateway-response", "--rest-api-id", id, "--response-type", "UNAUTHORIZED", "--response-parameters", `{"gatewayresponse.header.X":"'1'"}`), "statusCode", "401")
		want(v1("get-gateway-response", "--rest-api-id", id, "--response-type", "THROTTLED"), "defaultResponse", "true")

		// Stages: canary, settings, variables; deployments.
		two := at(t, v1("create-deployment", "--rest-api-id", id, "--description", "second"), "id")
		st = v1("update-stage", "--rest-api-id", id, "--stage-name", "todo", "--patch-operations", "op=replace,path=/deploymentId,value="+two,
			"op=replace,path=/*/*/throttling/rateLimit,value=7", "op=replace,path=/~1todo/GET/throttling/burstLimit,value=3", "op=replace,path=/variables/more,value=yes",
			"op=replace,path=/canarySettings/percentTraffic,value=10")
		want(st, "deploymentId", two)
		want(st, "methodSettings.*/*.throttlingRateLimit", "7")
		want(st, "methodSettings.~1todo/GET.throttlingBurstLimit", "3")
		want(st, "canarySettings.percentTraffic", "10")
		refused("UpdateStage", "CloudWatch Logs role ARN must be set in account settings to enable logging", "update-stage", "--rest-api-id", id, "--stage-name", "todo",
			"--patch-operations", "op=replace,path=/*/*/logging/loglevel,value=INFO")
		refused("UpdateStage", "A cache cluster (cacheClusterEnabled) is not supported by Gatehouse yet", "update-stage", "--rest-api-id", id, "--stage-name", "todo", "--patch-operations", "op=replace,path=/cacheClusterEnabled,value=true")
		refused("DeleteDeployment", "Active stages pointing to this deployment must be moved or deleted", "delete-deployment", "--rest-api-id", id, "--deployment-id", two)

		// The role for logs must trust API Gateway.
		role := func(name, service string) string {
			return at(t, aws.json(t, "iam", "create-role", "--role-name", name, "--assume-role-policy-document",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"`+service+`"},"Action":"sts:AssumeRole"}]}`), "Role.Arn")
		}
		refused("UpdateAccount", "The role ARN does not have required permissions configured", "update-account", "--patch-operations", "op=replace,path=/cloudwatchRoleArn,value="+role("other", "lambda.amazonaws.com"))
		logs := role("logs", "apigateway.amazonaws.com")
		want(v1("update-account", "--patch-operations", "op=replace,path=/cloudwatchRoleArn,value="+logs), "cloudwatchRoleArn", logs)
		want(v1("update-stage", "--rest-api-id", id, "--stage-name", "todo", "--patch-operations", "op=replace,path=/*/*/logging/loglevel,value=INFO"), "methodSettings.*/*.loggingLevel", "INFO")

		// API keys and usage plans.
		key := v1("create-api-key", "--name", "me", "--enabled")
		plan := at(t, v1("create-usage-plan", "--name", "gold", "--api-stages", "apiId="+id+",stage=todo", "--quota", "limit=5,period=DAY", "--throttle", "burstLimit=2,rateLimit=1"), "id")
		want(v1("create-usage-plan-key", "--usage-plan-id", plan, "--key-id", at(t, key, "id"), "--key-type", "API_KEY"), "value", at(t, key, "value"))
		want(v1("update-usage-plan", "--usage-plan-id", plan, "--patch-operations", "op=replace,path=/apiStages/"+id+":todo/throttle/~1todo~1GET/rateLimit,value=9", "op=replace,path=/quota/limit,value=6"), "quota.limit", "6")
		want(v1("get-usage-plans", "--key-id", at(t, key, "id")), "items.0.id", plan)

		// Domain name, client certificate, documentation, tags.
		v1("create-domain-name", "--domain-name", "todo.example.com", "--regional-certificate-arn", "arn:aws:acm:us-east-1:000000000000:certificate/x", "--endpoint-configuration", "types=REGIONAL")
		want(v1("create-base-path-mapping", "--domain-name", "todo.example.com", "--rest-api-id", id, "--stage", "todo"), "basePath", "(none)")
		cert := v1("generate-client-certificate", "--description", "mine")
		if !strings.Contains(at(t, cert, "pemEncodedCertificate"), "BEGIN CERTIFICATE") {
			t.Errorf("the certificate is %v", cert)
		}
		v1("create-documentation-part", "--rest-api-id", id, "--location", "type=API", "--properties", `{"description":"Tasks"}`)
		v1("create-documentation-version", "--rest-api-id", id, "--documentation-version", "1", "--stage-name", "todo")
		arn := "arn:aws:apigateway:us-east-1::/restapis/" + id
		aws.text(t, "apigateway", "tag-resource", "--resource-arn", arn, "--tags", "team=todo")
		want(v1("get-tags", "--resource-arn", arn), "tags.team", "todo")

		// Export and import.
		dir := t.TempDir()
		file := filepath.Join(dir, "todo.json")
		out := v1("get-export", "--rest-api-id", id, "--stage-name", "todo", "--export-type", "oas30", "--parameters", "extensions=apigateway", "--accepts", "application/json", file)
		want(out, "contentType", "application/json")
		var doc map[string]any
		text := must(os.ReadFile(file))(t)
		ok(t, json.Unmarshal(text, &doc))
		if doc["paths"].(map[string]any)["/todo"] == nil || doc["x-amazon-apigateway-documentation"] == nil {
			t.Errorf("the export is %s", text)
		}
		copied := v1("import-rest-api", "--body", "fileb://"+file)
		want(copied, "name", "todo")
		want(v1("get-authorizers", "--rest-api-id", at(t, copied, "id")), "items.0.name", "todo-authorizer")
		write(t, filepath.Join(dir, "more.yaml"), "swagger: '2.0'\ninfo: {title: more}\npaths:\n  /more:\n    get:\n      x-amazon-apigateway-integration: {type: mock}\n      responses: {default: {description: x}}\n")
		want(v1("put-rest-api", "--rest-api-id", at(t, copied, "id"), "--mode", "merge", "--body", "fileb://"+filepath.Join(dir, "more.yaml")), "name", "more")
		refused("PutRestApi", "Warnings found during import", "put-rest-api", "--rest-api-id", id, "--fail-on-warnings", "--body", "fileb://"+filepath.Join(dir, "more.yaml"))

		refused("GetRestApi", "NotFoundException | Invalid API identifier specified 000000000000:nothing", "get-rest-api", "--rest-api-id", "nothing")
		refused("CreateVpcLink", "NotImplementedException | Gatehouse does not implement apigateway CreateVpcLink.", "create-vpc-link", "--name", "x", "--target-arns", "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1")
		refused("DeleteRestApi", "Deleting RestApi "+id+" failed. Please remove all base path mappings related to the RestApi in your domains: todo.example.com", "delete-rest-api", "--rest-api-id", id)
		aws.text(t, "apigateway", "delete-base-path-mapping", "--domain-name", "todo.example.com", "--base-path", "(none)")
		aws.text(t, "apigateway", "delete-rest-api", "--rest-api-id", id)
	})
}
