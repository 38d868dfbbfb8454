package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// provider is a function that answers events of custom resources.
type provider struct {
	mu     sync.Mutex
	events []map[string]any
	fail   error
	got    chan map[string]any // each event, if not nil
}

func (p *provider) Invoke(_ context.Context, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
	if p.fail != nil {
		return nil, p.fail
	}
	if *in.InvocationType != "Event" || in.FunctionName != providerARN {
		return nil, errors.New("not as an event")
	}
	var event map[string]any
	if err := json.Unmarshal(in.Payload, &event); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.events = append(p.events, event)
	p.mu.Unlock()
	if p.got != nil {
		p.got <- event
	}
	return &lambda.InvocationResponse{}, nil
}

func (p *provider) seen() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

const providerARN = "arn:aws:lambda:us-east-1:000000000000:function:provider"

// put sends body to an address for answers.
func (b *bench) put(address, body string) int {
	b.t.Helper()
	r := httptest.NewRequest("PUT", address, strings.NewReader(body))
	if !TakesAnswers(r.Host) {
		b.t.Errorf("%s is not an address for answers", address)
	}
	w := httptest.NewRecorder()
	b.ServeAnswer(w, r)
	return w.Code
}

// reply answers an event.
func (b *bench) reply(event, more map[string]any) int {
	a := map[string]any{"Status": "SUCCESS", "StackId": event["StackId"], "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"]}
	for k, v := range more {
		a[k] = v
	}
	text, _ := json.Marshal(a)
	return b.put(event["ResponseURL"].(string), string(text))
}

// withProvider has f's answers sent as events come; nil stays silent.
func withProvider(t *testing.T, db *store.DB, f func(event map[string]any) map[string]any) (*bench, *provider) {
	p := &provider{got: make(chan map[string]any, 100)}
	b := open(t, db, newCloud(), func(o *Options) { o.Functions = p })
	go func() {
		for {
			select {
			case e := <-p.got:
				if a := f(e); a != nil {
					b.reply(e, a)
				}
			case <-t.Context().Done():
				return
			}
		}
	}()
	return b, p
}

const customTemplate = `
Parameters:
  Value: {Type: String, Default: one}
  Extra: {Type: String, Default: ""}
Conditions:
  Extra: !Not [!Equals [!Ref Extra, ""]]
Resources:
  Thing:
    Type: Custom::Thing
    Properties: {ServiceToken: "` + providerARN + `", ServiceTimeout: 60, Value: !Ref Value, Number: 5, Deep: {Yes: true, List: [1, two, 3.5]}}
  User: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !GetAtt Thing.Name.Of.It}}
  Last: {Type: AWS::SSM::Parameter, Condition: Extra, Properties: {Type: String, Value: !Ref Thing}}
Outputs:
  Thing: {Value: !Ref Thing}
  List: {Value: !Join ["-", !GetAtt Thing.List]}
`

func TestCustomResource(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b, p := withProvider(t, db, func(e map[string]any) map[string]any {
			value := e["ResourceProperties"].(map[string]any)["Value"].(string)
			if value == "bad" {
				return map[string]any{"Status": "FAILED", "Reason": "no " + value}
			}
			return map[string]any{"PhysicalResourceId": "thing-" + value, "Data": map[string]any{"Name.Of.It": "group-" + value, "List": []string{"a", "b"}}}
		})
		b.must(b.create("demo", customTemplate))
		st := b.status("demo", "CREATE_COMPLETE")
		if *st.Outputs[0].OutputValue != "thing-one" || *st.Outputs[1].OutputValue != "a-b" {
			t.Errorf("outputs %+v", st.Outputs)
		}
		if g := b.cloud.seen["create User"].Props["LogGroupName"]; g != "group-one" {
			t.Errorf("attribute %v", g)
		}
		e := p.seen()[0]
		address, request := e["ResponseURL"].(string), e["RequestId"]
		delete(e, "ResponseURL")
		delete(e, "RequestId")
		props := func(value string) map[string]any {
			return map[string]any{"ServiceToken": providerARN, "ServiceTimeout": "60", "Value": value, "Number": "5",
				"Deep": map[string]any{"Yes": "true", "List": []any{"1", "two", "3.5"}}}
		}
		if d := cmp.Diff(map[string]any{
			"RequestType": "Create", "ServiceToken": providerARN, "StackId": *st.StackId, "LogicalResourceId": "Thing", "ResourceType": "Custom::Thing",
			"ResourceProperties": props("one"),
		}, e); d != "" {
			t.Errorf("event (-want +got):\n%s", d)
		}
		if request == "" || !strings.HasPrefix(address, "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/arn%3Aaws%3Acloudformation%3Aus-east-1%3A000000000000%3Astack/demo/") {
			t.Errorf("address %s, request %v", address, request)
		}
		if c := b.put(address, "{}"); c != http.StatusForbidden {
			t.Errorf("an answer after the end: %d", c)
		}

		b.must(b.update("demo", customTemplate, "Value=two"))
		st = b.status("demo", "UPDATE_COMPLETE")
		if *st.Outputs[0].OutputValue != "thing-two" {
			t.Errorf("outputs %+v", st.Outputs)
		}
		events := p.seen()
		if len(events) != 3 || events[1]["RequestType"] != "Update" || events[1]["PhysicalResourceId"] != "thing-one" ||
			cmp.Diff(events[1]["OldResourceProperties"], any(props("one"))) != "" || cmp.Diff(events[1]["ResourceProperties"], any(props("two"))) != "" {
			t.Errorf("update: %v", events[1:])
		}
		if events[2]["RequestType"] != "Delete" || events[2]["PhysicalResourceId"] != "thing-one" {
			t.Errorf("replaced: %v", events[2])
		}

		// An update that fails is taken back: with an event, and without a deletion.
		b.must(b.update("demo", customTemplate, "Value=bad"))
		st = b.status("demo", "UPDATE_ROLLBACK_COMPLETE")
		events = p.seen()[3:]
		if len(events) != 2 || events[1]["RequestType"] != "Update" || events[1]["ResourceProperties"].(map[string]any)["Value"] != "two" ||
			events[1]["OldResourceProperties"].(map[string]any)["Value"] != "bad" {
			t.Errorf("taken back: %v", events)
		}
		found := false
		for _, line := range b.events("demo") {
			found = found || strings.HasPrefix(line, "Thing UPDATE_FAILED Received response status [FAILED] from custom resource. Message returned: no bad (RequestId: ")
		}
		if !found {
			t.Errorf("events %s", strings.Join(b.events("demo"), "\n"))
		}

		b.must(b.delete("demo"))
		if e := p.seen()[5]; e["RequestType"] != "Delete" || e["PhysicalResourceId"] != "thing-two" {
			t.Errorf("delete: %v", e)
		}
		left := 0
		b.must(db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT COUNT(*) FROM documents WHERE kind = $1", questions.Name).Scan(&left)
		}))
		if left != 0 {
			t.Errorf("%d questions are left", left)
		}
	})
}

func TestCustomResourceFailures(t *testing.T) {
	const one = `{"Resources": {"Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": "` + providerARN + `", "ServiceTimeout": "%s"}}}}`
	for _, tt := range []struct {
		name   string
		body   func(e map[string]any) string
		reason string
		gone   string // the physical id of the deletion, a prefix
	}{
		{"says so", func(e map[string]any) string { return `{"Status": "FAILED", "PhysicalResourceId": "half"}` },
			"Received response status [FAILED] from custom resource. Message returned:", "half"},
		{"no JSON", func(map[string]any) string { return "<xml>" }, "Invalid response", "demo-Thing-"},
		{"no status", func(map[string]any) string { return "{}" }, "Invalid response: Status", "demo-Thing-"},
		{"of another request", func(map[string]any) string {
			return `{"Status": "SUCCESS", "RequestId": "x", "StackId": "y", "LogicalResourceId": "Thing"}`
		}, "Invalid response: StackId", "demo-Thing-"},
		{"long", func(map[string]any) string {
			return `{"Status": "SUCCESS", "Data": {"a": "` + strings.Repeat("x", 4096) + `"}}`
		}, "Response object is too long.", "demo-Thing-"},
		{"silent", nil, "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [", "demo-Thing-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				p := &provider{got: make(chan map[string]any, 10)}
				b := open(t, db, newCloud(), func(o *Options) { o.Functions = p })
				timeout := "30"
				if tt.body == nil {
					timeout = "1"
				}
				done := make(chan error, 1)
				go func() { done <- b.create("demo", fmt.Sprintf(one, timeout)) }()
				e := <-p.got
				if tt.body != nil {
					if c := b.put(e["ResponseURL"].(string), tt.body(e)); c != 200 {
						t.Errorf("status %d", c)
					}
				}
				del := <-p.got
				if id, _ := del["PhysicalResourceId"].(string); del["RequestType"] != "Delete" || !strings.HasPrefix(id, tt.gone) {
					t.Errorf("deletion %v", del)
				}
				b.reply(del, nil)
				b.must(<-done)
				b.status("demo", "ROLLBACK_COMPLETE")
				if ev := b.events("demo"); !strings.HasPrefix(ev[2], "Thing CREATE_FAILED "+tt.reason) {
					t.Errorf("events %s", strings.Join(ev, "\n"))
				}
			})
		})
	}
	each(t, func(t *testing.T, b *bench) {
		for token, want := range map[string]string{
			"arn:aws:sns:us-east-1:000000000000:topic": "Custom resources that are backed by an SNS topic are not supported (arn:aws:sns:us-east-1:000000000000:topic: use the ARN of a function)",
			"provider": "Invalid service token.",
		} {
			tpl := strings.ReplaceAll(fmt.Sprintf(one, "1"), providerARN, token)
			if err := b.create("bad", tpl); text(err) != want {
				t.Errorf("%s: %v", token, err)
			}
		}
	})
}

// TestCustomResourceSecrets tries to answer for others.
func TestCustomResourceSecrets(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := &provider{got: make(chan map[string]any, 10)}
		b.o.Functions = p
		go b.create("demo", customTemplate)
		e := <-p.got
		address := e["ResponseURL"].(string)
		base, _, _ := strings.Cut(address, "?")
		for _, bad := range []string{base, base + "?X-Amz-Signature=", base + "?X-Amz-Signature=" + strings.Repeat("0", 64), strings.Replace(address, "Thing", "User", 1), address + "0"} {
			if c := b.put(bad, "{}"); c != http.StatusForbidden {
				t.Errorf("%s: %d", bad, c)
			}
		}
		w := httptest.NewRecorder()
		b.ServeAnswer(w, httptest.NewRequest("GET", address, nil))
		if w.Code != http.StatusForbidden {
			t.Errorf("GET: %d", w.Code)
		}
		if c := b.reply(e, map[string]any{"NoEcho": true, "PhysicalResourceId": "p", "Data": map[string]any{"Name.Of.It": "s3cret", "List": []string{"l"}}}); c != 200 {
			t.Errorf("status %d", c)
		}
		b.reply(e, map[string]any{"Status": "FAILED"}) // too late, and no error
		b.status("demo", "CREATE_COMPLETE")
		if got := b.cloud.seen["create User"].Props["LogGroupName"]; got != "s3cret" {
			t.Errorf("attribute %v", got)
		}
		out, err := b.DescribeStackEvents(b.ctx, describeEvents("demo"))
		b.must(err)
		for _, e := range out.StackEvents {
			if strings.Contains(shape.Val(e.ResourceProperties), "s3cret") {
				t.Errorf("%s shows what must not be shown: %s", *e.LogicalResourceId, *e.ResourceProperties)
			}
		}
	})
}

// TestCustomResourceCrash stops the server while a function is asked. The next one waits for the same answer.
func TestCustomResourceCrash(t *testing.T) {
	for _, how := range []string{"crash", "close"} {
		t.Run(how, func(t *testing.T) {
			eachURL(t, func(t *testing.T, url string) {
				db, err := store.Open(t.Context(), store.Options{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				c, p := newCloud(), &provider{got: make(chan map[string]any, 10)}
				b := open(t, db, c, func(o *Options) { o.Functions = p })
				go b.create("demo", customTemplate)
				e := <-p.got
				for {
					id := questionID(e["StackId"].(string), "Thing", e["RequestId"].(string))
					q, err := view(t.Context(), db, func(tx *store.Tx) (*question, error) { return b.question(tx, id) })
					if err != nil {
						t.Fatal(err)
					}
					if q.Asked {
						break
					}
					time.Sleep(time.Millisecond)
				}
				if how == "close" {
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					if err := b.Close(ctx); err != nil {
						t.Error(err)
					}
					cancel()
				}
				crash(t, b, db)
				later := func(o *Options) { o.Now = func() time.Time { return time.Now().Add(30 * time.Second) } }
				b2 := open(t, storetest.Open(t, url), c, func(o *Options) { o.Functions = p }, later)
				if c := b2.reply(e, map[string]any{"PhysicalResourceId": "p", "Data": map[string]any{"Name.Of.It": "g", "List": []string{"l"}}}); c != 200 {
					t.Errorf("status %d", c)
				}
				b2.status("demo", "CREATE_COMPLETE")
				if n := len(p.seen()); n != 1 {
					t.Errorf("%d events", n)
				}
				go b2.delete("demo")
				b2.reply(<-p.got, nil)
				b2.status(e["StackId"].(string), "DELETE_COMPLETE")
			})
		})
	}
}

const waitTemplate = `
Parameters: {Timeout: {Type: String, Default: "30"}}
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: !Ref Timeout, Count: 2}}
Outputs:
  Data: {Value: !GetAtt Wait.Data}
`

func TestWaitCondition(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		handle := func(name string) string {
			for {
				r, err := b.DescribeStackResources(b.ctx, describeResources(name))
				if err == nil {
					for _, r := range r.StackResources {
						if r.LogicalResourceId == "Handle" && shape.Val(r.PhysicalResourceId) != "" {
							return *r.PhysicalResourceId
						}
					}
				}
				time.Sleep(time.Millisecond)
			}
		}
		go b.create("demo", waitTemplate)
		at := handle("demo")
		for _, body := range []string{
			`{"Status": "SUCCESS", "UniqueId": "1", "Data": "x", "Reason": "r"}`, `{"Status": "SUCCESS", "UniqueId": "1", "Data": "again"}`, "no JSON",
			`{"Status": "SUCCESS", "UniqueId": "2", "Data": "y"}`,
		} {
			if c := b.put(at, body); c != 200 {
				t.Errorf("status %d", c)
			}
		}
		st := b.status("demo", "CREATE_COMPLETE")
		if got := *st.Outputs[0].OutputValue; got != `{"1":"x","2":"y"}` {
			t.Errorf("data %s", got)
		}
		b.must(b.delete("demo"))
		if c := b.put(at, "{}"); c != 403 {
			t.Errorf("after the deletion: %d", c)
		}

		go b.create("fails", waitTemplate)
		b.put(handle("fails"), `{"Status": "FAILURE", "UniqueId": "1", "Reason": "broken"}`)
		b.status("fails", "ROLLBACK_COMPLETE")
		b.must(b.create("silent", waitTemplate, "Timeout=1"))
		b.status("silent", "ROLLBACK_COMPLETE")
		for name, want := range map[string]string{
			"fails":  "Wait CREATE_FAILED WaitCondition received failed message: 'broken' for uniqueId: 1",
			"silent": "Wait CREATE_FAILED WaitCondition timed out. Received 0 conditions when expecting 2",
		} {
			if all := strings.Join(b.events(name), "\n"); !strings.Contains(all, want) {
				t.Errorf("%s:\n%s", name, all)
			}
		}
	})
}

func describeEvents(name string) *cfn.DescribeStackEventsInput {
	return &cfn.DescribeStackEventsInput{StackName: name}
}

func describeResources(name string) *cfn.DescribeStackResourcesInput {
	return &cfn.DescribeStackResourcesInput{StackName: &name}
}
