package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// TestDuplicates makes the same thing from many goroutines at once: one makes it, the others are told
// that it is there, in the service's words, and there is one.
func TestDuplicates(t *testing.T) {
	var log errorLog
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, Logger: slog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	known := fixture(t, e)
	pool, api, client := known["userpoolid"], known["apiid"], known["clientid"]
	byMail := mailPool(t, e)
	for _, tc := range []struct {
		service, op, doc string
		code             string // of those that come too late; "" if many may be
		made             int    // how many succeed; 0: all
	}{
		{"cognito-idp", "AdminCreateUser", `{"UserPoolId":"` + pool + `","Username":"twin","UserAttributes":[{"Name":"email","Value":"twin@example.com"}]}`, "UsernameExistsException", 1},
		{"cognito-idp", "SignUp", `{"ClientId":"` + client + `","Username":"twins","Password":"Password1!"}`, "UsernameExistsException", 1},
		{"cognito-idp", "SignUp", `{"ClientId":"` + byMail + `","Username":"Twin@example.com","Password":"Password1!"}`, "UsernameExistsException", 1},
		{"cognito-idp", "AddCustomAttributes", `{"UserPoolId":"` + pool + `","CustomAttributes":[{"Name":"twin","AttributeDataType":"String"}]}`, "InvalidParameterException", 1},
		{"cognito-idp", "CreateUserPoolClient", `{"UserPoolId":"` + pool + `","ClientName":"twin"}`, "", 0},
		{"cloudformation", "CreateStack", `{"StackName":"twin","TemplateBody":"{\"Resources\":{\"G\":{\"Type\":\"AWS::Logs::LogGroup\"}}}"}`, "AlreadyExistsException", 1},
		{"lambda", "CreateFunction", `{"FunctionName":"twin","Runtime":"provided.al2023","Handler":"bootstrap","Role":"` + known["role"] + `","Code":{"ZipFile":"` + known["zipfile"] + `"}}`, "ResourceConflictException", 1},
		{"lambda", "AddPermission", `{"FunctionName":"sample","StatementId":"twin","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com"}`, "ResourceConflictException", 1},
		{"lambda", "CreateAlias", `{"FunctionName":"sample","Name":"twin","FunctionVersion":"$LATEST"}`, "ResourceConflictException", 1},
		{"apigateway", "CreateRoute", `{"ApiId":"` + api + `","RouteKey":"GET /twin"}`, "ConflictException", 1},
		{"apigateway", "CreateStage", `{"ApiId":"` + api + `","StageName":"twin"}`, "ConflictException", 1},
		{"iam", "CreateRole", `{"RoleName":"twin","AssumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"}`, "EntityAlreadyExists", 1},
		{"logs", "CreateLogGroup", `{"logGroupName":"/twin"}`, "ResourceAlreadyExistsException", 1},
		{"logs", "CreateLogStream", `{"logGroupName":"/sample","logStreamName":"twin"}`, "ResourceAlreadyExistsException", 1},
		{"ssm", "PutParameter", `{"Name":"/twin","Value":"x","Type":"String"}`, "ParameterAlreadyExists", 1},
		{"s3", "CreateBucket", `{"Bucket":"twin-bucket"}`, "", 0}, // us-east-1 says 200 to the owner
	} {
		t.Run(tc.op, func(t *testing.T) {
			c := &caller{e: e, s: e.serving(tc.service, tc.op), known: known}
			op := c.s.Model.Operation(tc.op)
			codes := map[string]int{}
			var mu sync.Mutex
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 32 {
				var in map[string]any
				if err := json.Unmarshal([]byte(tc.doc), &in); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					r, w := c.request(op, in), httptest.NewRecorder()
					<-start
					e.ServeHTTP(w, r)
					code, _ := xmlError(w.Body.Bytes())
					var doc struct {
						Type string `json:"__type"`
					}
					if json.Unmarshal(w.Body.Bytes(), &doc) == nil {
						code = doc.Type
					}
					code = cmp.Or(code, w.Header().Get("X-Amzn-Errortype"))
					code, _, _ = strings.Cut(code, ":")
					mu.Lock()
					defer mu.Unlock()
					codes[code]++
				})
			}
			close(start)
			wg.Wait()
			if made := codes[""]; tc.made == 0 && made != 32 || tc.made > 0 && (made != tc.made || codes[tc.code] != 32-made) {
				t.Errorf("answers by code: %v", codes)
			}
		})
	}
	for _, line := range log.take() {
		t.Errorf("the log says: %s", line)
	}
}

// mailPool makes a pool whose people sign in by address and returns a client of it.
func mailPool(t *testing.T, e *Engine) (client string) {
	t.Helper()
	var out struct {
		UserPool       struct{ Id string }
		UserPoolClient struct{ ClientId string }
	}
	i := slices.IndexFunc(e.services, func(s wire.Service) bool { return s.Model.Endpoint == "cognito-idp" })
	c := &caller{e: e, s: e.services[i]}
	call := func(op string, in map[string]any) {
		t.Helper()
		w := httptest.NewRecorder()
		e.ServeHTTP(w, c.request(c.s.Model.Operation(op), in))
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", op, w.Code, w.Body)
		}
	}
	call("CreateUserPool", map[string]any{"PoolName": "mail", "UsernameAttributes": []any{"email"}, "AutoVerifiedAttributes": []any{"email"}})
	call("CreateUserPoolClient", map[string]any{"UserPoolId": out.UserPool.Id, "ClientName": "mail"})
	return out.UserPoolClient.ClientId
}
