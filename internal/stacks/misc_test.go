package stacks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

func TestSecrets(t *testing.T) {
	tpl := `
Parameters:
  Secret: {Type: String, NoEcho: true}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /app/v}
Resources:
  P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${Secret}/${Stored}/{{resolve:ssm:/app/d}}", Name: fixed}}
`
	const secret = "hunter2hunter2"
	key, err := seal.FromBytes(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*seal.Key{"sealed": key, "plain": nil} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				b := open(t, db, newCloud(), func(o *Options) { o.Seal = key })
				b.par["/app/v"], b.par["/app/d"] = "val", "dyn"
				b.must(b.create("demo", tpl, "Secret="+secret))
				st := b.status("demo", "CREATE_COMPLETE")
				if v := b.cloud.seen["create P"].Props["Value"]; v != secret+"/val/dyn" {
					t.Errorf("the handler got %v", v)
				}
				if p := st.Parameters; *p[0].ParameterValue != "****" || *p[1].ParameterValue != "/app/v" || *p[1].ResolvedValue != "val" {
					t.Errorf("parameters %+v", p)
				}
				events, err := b.DescribeStackEvents(b.ctx, &cfn.DescribeStackEventsInput{StackName: "demo"})
				b.must(err)
				if got := shape.Val(events.StackEvents[1].ResourceProperties); got != `{"Name":"fixed","Type":"String","Value":"****/val/dyn"}` {
					t.Errorf("shown properties %s", got)
				}
				set := &cfn.CreateChangeSetInput{StackName: "demo", ChangeSetName: "c", UsePreviousTemplate: shape.Ptr(true), Parameters: params("Secret=other")}
				_, err = b.CreateChangeSet(b.ctx, set)
				b.must(err)
				got, err := b.DescribeChangeSet(b.ctx, &cfn.DescribeChangeSetInput{ChangeSetName: "c", StackName: shape.Ptr("demo"), IncludePropertyValues: shape.Ptr(true)})
				b.must(err)
				if s := fmt.Sprint(*got.Changes[0].ResourceChange.BeforeContext, *got.Changes[0].ResourceChange.AfterContext); strings.Contains(s, secret) || strings.Contains(s, "other") {
					t.Errorf("the change set shows %s", s)
				}
				// The value is still known, and a changed stored value is an update.
				b.par["/app/v"] = "val2"
				_, err = b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: "demo", UsePreviousTemplate: shape.Ptr(true), Parameters: []cfn.Parameter{{ParameterKey: shape.Ptr("Secret"), UsePreviousValue: shape.Ptr(true)}}})
				b.must(err)
				b.status("demo", "UPDATE_COMPLETE")
				if v := b.cloud.seen["update P"].Props["Value"]; v != secret+"/val2/dyn" {
					t.Errorf("the handler got %v", v)
				}
				if key == nil {
					return
				}
				for _, q := range []string{"SELECT doc FROM documents", "SELECT doc FROM stack_resources", "SELECT doc FROM stack_events", "SELECT doc FROM stack_operations"} {
					docs, err := view(b.ctx, db, func(tx *store.Tx) (out []string, err error) {
						rows, err := tx.Query(q)
						if err != nil {
							return nil, err
						}
						defer rows.Close()
						for rows.Next() {
							var doc []byte
							if err := rows.Scan(&doc); err != nil {
								return nil, err
							}
							out = append(out, string(doc))
						}
						return out, rows.Err()
					})
					if err != nil || strings.Contains(strings.Join(docs, "\n"), secret) {
						t.Errorf("%s shows the secret; %v", q, err)
					}
				}
			})
		})
	}
}

// objects are buckets: "bucket/key".
type objects map[string]string

func (o objects) OpenObject(_ context.Context, bucket, key, _ string) (io.ReadCloser, int64, error) {
	s, ok := o[bucket+"/"+key]
	if !ok {
		return nil, 0, shape.Errorf("NoSuchKey", 404, "The specified key does not exist.")
	}
	return io.NopCloser(strings.NewReader(s)), int64(len(s)), nil
}

func TestTemplateURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"http://127.0.0.1:4566/bucket/a/key.json", "bucket/a/key.json"},
		{"http://localhost:4566/bucket/key", "bucket/key"},
		{"http://bucket.s3.localhost:4566/key", "bucket/key"},
		{"https://s3.us-east-1.amazonaws.com/bucket/key%20x", "bucket/key x"},
		{"https://s3.amazonaws.com/bucket/key", "bucket/key"},
		{"https://s3-eu-west-1.amazonaws.com/bucket/key", "bucket/key"},
		{"https://bucket.s3.amazonaws.com/a/key", "bucket/a/key"},
		{"https://my.bucket.s3.eu-west-1.amazonaws.com/key?versionId=v1", "my.bucket/key v1"},
		{"https://bucket.s3-eu-west-1.amazonaws.com/key", "bucket/key"},
		{"https://bucket.s3.dualstack.eu-west-1.amazonaws.com/key", "bucket/key"},
		{"s3://bucket/key", "bucket/key"},
		{"https://example.com/bucket/key", ""}, {"https://s3.amazonaws.com/bucket", ""}, {"ftp://127.0.0.1/b/k", ""},
		{"https://s3.amazonaws.com.example.com/b/k", ""}, {"file:///etc/passwd", ""}, {"%", ""}, {"", ""},
	} {
		bucket, key, version, err := objectOf(tt.url)
		got := strings.TrimSpace(bucket + "/" + key + " " + version)
		if err != nil {
			got = ""
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.url, got, tt.want)
		}
	}
	big := "Resources: {A: {Type: AWS::Logs::LogGroup}} #" + strings.Repeat("x", maxBody)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, newCloud(), func(o *Options) {
			o.Objects = objects{"b/big": big, "b/huge": strings.Repeat("x", 2<<20), "b/empty": ""}
			o.Outputs = strings.ToUpper
		})
		make := func(key string) error {
			_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "demo", TemplateURL: shape.Ptr("http://127.0.0.1:4566/b/" + key)})
			return err
		}
		for key, want := range map[string]string{"none": "S3 error: The specified key does not exist. (NoSuchKey, bucket b, key none)", "huge": "Template may not exceed", "empty": "the template is empty"} {
			if err := make(key); !strings.Contains(text(err), want) {
				t.Errorf("%v", err)
			}
		}
		b.must(make("big"))
		got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{StackName: shape.Ptr("demo")})
		if err != nil || *got.TemplateBody != big {
			t.Errorf("not the same template, %v", err)
		}
	})
}

func TestOutputsOfOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, newCloud(), func(o *Options) { o.Outputs = strings.ToUpper })
		b.must(b.create("from", "Resources: {A: {Type: AWS::Logs::LogGroup}}\nOutputs: {O: {Value: url}}"))
		if st := b.status("from", "CREATE_COMPLETE"); *st.Outputs[0].OutputValue != "URL" {
			t.Errorf("%+v", st.Outputs)
		}
		b.must(b.create("to", `{"Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":{"Fn::GetStackOutput":{"StackName":"from","OutputName":"O"}}}}}}`))
		if v := b.cloud.seen["create P"].Props["Value"]; v != "url" {
			t.Errorf("%v", v)
		}
		err := b.create("too", `{"Resources":{"P":{"Type":"AWS::SSM::Parameter","Properties":{"Type":"String","Value":{"Fn::GetStackOutput":{"StackName":"none","OutputName":"O"}}}}}}`)
		if !strings.HasPrefix(text(err), "Stack with id none does not exist") {
			t.Errorf("%v", err)
		}
	})
}

func TestChangeSets(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		create := func(kind, tpl string, p ...string) (*cfn.DescribeChangeSetOutput, error) {
			out, err := b.CreateChangeSet(b.ctx, &cfn.CreateChangeSetInput{StackName: "demo", ChangeSetName: "cs", ChangeSetType: &kind, TemplateBody: &tpl, Parameters: params(p...), Capabilities: allCaps})
			if err != nil {
				return nil, err
			}
			return b.DescribeChangeSet(b.ctx, &cfn.DescribeChangeSetInput{ChangeSetName: *out.Id, IncludePropertyValues: shape.Ptr(true)})
		}
		show := func(cs *cfn.DescribeChangeSetOutput) (out []string) {
			for _, c := range cs.Changes {
				r := c.ResourceChange
				line := *r.Action + " " + *r.LogicalResourceId + " " + shape.Val(r.Replacement) + " " + strings.Join(r.Scope, ",")
				for _, d := range r.Details {
					line += " " + shape.Val(d.Target.Name) + ":" + shape.Val(d.Target.BeforeValue) + "→" + shape.Val(d.Target.AfterValue) + ":" + *d.Evaluation + ":" + shape.Val(d.CausingEntity)
				}
				out = append(out, line)
			}
			return out
		}
		execute := func() error {
			_, err := b.ExecuteChangeSet(b.ctx, &cfn.ExecuteChangeSetInput{ChangeSetName: "cs", StackName: shape.Ptr("demo")})
			return err
		}
		if _, err := create("UPDATE", two); text(err) != "Stack [demo] does not exist" {
			t.Errorf("%v", err)
		}
		cs, err := create("CREATE", two)
		b.must(err)
		b.expect("changes", show(cs), []string{"Add A  ", "Add B  "})
		if *cs.Status != "CREATE_COMPLETE" || *cs.ExecutionStatus != "AVAILABLE" || !strings.HasPrefix(*cs.ChangeSetId, "arn:aws:cloudformation:us-east-1:000000000000:changeSet/cs/") {
			t.Errorf("%+v", cs)
		}
		if st := b.stack0("demo"); st.StackStatus != "REVIEW_IN_PROGRESS" || b.events("demo")[0] != "demo REVIEW_IN_PROGRESS User Initiated" {
			t.Errorf("%+v", st)
		}
		if _, err := create("CREATE", two); code(err) != "AlreadyExistsException" {
			t.Errorf("%v", err)
		}
		if err := b.create("demo", two); code(err) != "AlreadyExistsException" {
			t.Errorf("%v", err)
		}
		got, err := b.GetTemplate(b.ctx, &cfn.GetTemplateInput{ChangeSetName: shape.Ptr("cs"), StackName: shape.Ptr("demo")})
		if err != nil || *got.TemplateBody != two {
			t.Errorf("%v", err)
		}
		b.must(execute())
		st := b.status("demo", "CREATE_COMPLETE")
		if *st.ChangeSetId != *cs.ChangeSetId {
			t.Errorf("%+v", st)
		}
		b.expect("calls", b.cloud.take(), []string{"create A", "create B"})
		if err := execute(); code(err) != "InvalidChangeSetStatus" || !strings.Contains(text(err), "cannot be executed in its current execution status of [EXECUTE_COMPLETE]") {
			t.Errorf("%v", err)
		}
		drop := func() {
			_, err := b.DeleteChangeSet(b.ctx, &cfn.DeleteChangeSetInput{ChangeSetName: "cs", StackName: shape.Ptr("demo")})
			b.must(err)
		}
		drop()
		drop()

		cs, err = create("UPDATE", two)
		b.must(err)
		if *cs.Status != "FAILED" || *cs.StatusReason != noChanges || *cs.ExecutionStatus != "UNAVAILABLE" {
			t.Errorf("%+v", cs)
		}
		if err := execute(); code(err) != "InvalidChangeSetStatus" || !strings.Contains(text(err), "cannot be executed in its current status of [FAILED]") {
			t.Errorf("%v", err)
		}
		drop()

		cs, err = create("UPDATE", two, "Group=g2", "Extra=yes")
		b.must(err)
		b.expect("changes", show(cs), []string{
			"Modify A True Properties LogGroupName:g1→g2:Static:",
			"Modify B False Properties Value:A-1/v1→{{changeSet:KNOWN_AFTER_APPLY}}:Dynamic:A",
			"Add X  ",
		})
		b.must(execute())
		b.status("demo", "UPDATE_COMPLETE")
		b.expect("calls", b.cloud.take(), []string{"create A", "update B", "create X", "delete A"})
		drop()

		cs, err = create("UPDATE", strings.Replace(two, "Condition: HasExtra, DependsOn: B", "DeletionPolicy: Retain", 1), "Group=g2", "Value=v2")
		b.must(err)
		b.expect("changes", show(cs), []string{
			"Modify A False  ", "Modify B False Properties Value:A-3/v1→A-3/v2:Static:", "Modify X False DeletionPolicy :→:Static:",
		}[1:])
		b.must(b.update("demo", two, "Group=g2"))
		b.status("demo", "UPDATE_COMPLETE")
		if err := execute(); !strings.Contains(text(err), "[OBSOLETE]") {
			t.Errorf("%v", err)
		}
		list, err := b.ListChangeSets(b.ctx, &cfn.ListChangeSetsInput{StackName: "demo"})
		if err != nil || len(list.Summaries) != 1 || *list.Summaries[0].ExecutionStatus != "OBSOLETE" {
			t.Errorf("%+v, %v", list, err)
		}
		drop()
		cs, err = create("UPDATE", strings.Replace(two, "  B: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub \"${A}/${Value}\"}}\n  X: {Type: AWS::Logs::LogGroup, Condition: HasExtra, DependsOn: B}\n", "", 1), "Group=g2")
		b.must(err)
		b.expect("changes", show(cs), []string{"Remove B  "})
		if _, err := b.DescribeChangeSet(b.ctx, &cfn.DescribeChangeSetInput{ChangeSetName: "none", StackName: shape.Ptr("demo")}); code(err) != "ChangeSetNotFound" || text(err) != "ChangeSet [none] does not exist" {
			t.Errorf("%v", err)
		}
		b.must(b.delete("demo"))
		if _, err := b.DescribeChangeSet(b.ctx, &cfn.DescribeChangeSetInput{ChangeSetName: *cs.ChangeSetId}); code(err) != "ChangeSetNotFound" {
			t.Errorf("%v", err)
		}
	})
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		in := &cfn.CreateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), ClientRequestToken: shape.Ptr("t1")}
		first, err := b.CreateStack(b.ctx, in)
		b.must(err)
		again, err := b.CreateStack(b.ctx, in)
		if err != nil || *again.StackId != *first.StackId {
			t.Errorf("%v", err)
		}
		up := &cfn.UpdateStackInput{StackName: "demo", TemplateBody: shape.Ptr(two), Parameters: params("Value=2"), ClientRequestToken: shape.Ptr("t2")}
		for range 2 {
			_, err := b.UpdateStack(b.ctx, up)
			b.must(err)
		}
		up.ClientRequestToken = shape.Ptr("t1")
		if _, err := b.UpdateStack(b.ctx, up); code(err) != "TokenAlreadyExistsException" {
			t.Errorf("%v", err)
		}
		ev, err := b.DescribeStackEvents(b.ctx, &cfn.DescribeStackEventsInput{StackName: "demo"})
		if err != nil || *ev.StackEvents[0].ClientRequestToken != "t2" {
			t.Errorf("%v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		met, _ := b.cloud.block("create B")
		st := b.newStack(b.ctx, "slow")
		p, err := b.propose(b.ctx, st, nil, wish{body: shape.Ptr(chain), capabilities: allCaps, tags: []cfn.Tag{}})
		b.must(err)
		op := &Operation{OnFailure: "ROLLBACK", Deadline: time.Now().Add(100 * time.Millisecond).UnixMilli()}
		_, err = b.Service.create(b.ctx, st, op, p, true, nil)
		b.must(err)
		<-met
		b.cloud.mu.Lock()
		clear(b.cloud.hold) // the second try, which finds out whether there is a B, goes through
		b.cloud.mu.Unlock()
		b.status("slow", "ROLLBACK_COMPLETE")
		if want := "slow ROLLBACK_IN_PROGRESS Stack creation time exceeded the specified timeout. Rollback requested by user."; !slices.Contains(b.events("slow"), want) {
			t.Errorf("%s", strings.Join(b.events("slow"), "\n"))
		}
		b.expect("calls", b.cloud.take(), []string{"create A", "create B", "create B", "delete B", "delete A"})
		b.expect("what exists", b.cloud.things(), nil)
	})
}

func TestPanic(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, newCloud(), func(o *Options) {
			o.Registry = new(resource.Registry)
			o.Registry.Register(resource.Type{Name: "AWS::Logs::LogGroup", Handler: panics{}})
		})
		b.must(b.create("demo", "Resources: {A: {Type: AWS::Logs::LogGroup}}"))
		b.status("demo", "ROLLBACK_COMPLETE")
		if !slices.Contains(b.events("demo"), "A CREATE_FAILED Internal Failure") {
			t.Errorf("%v", b.events("demo"))
		}
	})
}

type panics struct{ resource.Handler }

func (panics) Create(context.Context, *resource.Request) (resource.Result, error) {
	panic("secret detail")
}

func TestDescribeTemplates(t *testing.T) {
	tpl := `
AWSTemplateFormatVersion: 2010-09-09
Description: all of it
Metadata: {Some: thing}
Parameters:
  P: {Type: String, Default: x, AllowedValues: [x, y], Description: a parameter}
  Q: {Type: Number, NoEcho: true}
Resources:
  R: {Type: AWS::IAM::Role, Properties: {RoleName: n, AssumeRolePolicyDocument: {}}}
  G: {Type: AWS::Logs::LogGroup}
`
	each(t, func(t *testing.T, b *bench) {
		v, err := b.ValidateTemplate(b.ctx, &cfn.ValidateTemplateInput{TemplateBody: &tpl})
		if err != nil || len(v.Parameters) != 2 || *v.Description != "all of it" || !slices.Equal(v.Capabilities, []string{"CAPABILITY_NAMED_IAM"}) ||
			*v.CapabilitiesReason != "The following resource(s) require capabilities: [AWS::IAM::Role]" {
			t.Errorf("%+v, %v", v, err)
		}
		if _, err := b.ValidateTemplate(b.ctx, &cfn.ValidateTemplateInput{TemplateBody: shape.Ptr("Resources: {A: {Type: No::Such::Thing}}")}); !strings.Contains(text(err), "Unrecognized resource types") {
			t.Errorf("%v", err)
		}
		s, err := b.GetTemplateSummary(b.ctx, &cfn.GetTemplateSummaryInput{TemplateBody: &tpl})
		if err != nil || *s.Version != "2010-09-09" || *s.Metadata != `{"Some":"thing"}` || !slices.Equal(s.ResourceTypes, []string{"AWS::IAM::Role", "AWS::Logs::LogGroup"}) ||
			!slices.Equal(s.Parameters[0].ParameterConstraints.AllowedValues, []string{"x", "y"}) || !*s.Parameters[1].NoEcho {
			t.Errorf("%+v, %v", s, err)
		}
		b.must(b.create("demo", tpl, "Q=1"))
		s, err = b.GetTemplateSummary(b.ctx, &cfn.GetTemplateSummaryInput{StackName: shape.Ptr("demo")})
		if err != nil || *s.Description != "all of it" {
			t.Errorf("%+v, %v", s, err)
		}
		if _, err := b.ListStackSets(b.ctx, &cfn.ListStackSetsInput{}); code(err) != "NotImplementedException" || !strings.Contains(text(err), "ListStackSets") {
			t.Errorf("%v", err)
		}
		if _, err := b.DescribeStackEvents(b.ctx, &cfn.DescribeStackEventsInput{StackName: "none"}); text(err) != "Stack [none] does not exist" {
			t.Errorf("%v", err)
		}
		if _, err := b.DescribeStackResource(b.ctx, &cfn.DescribeStackResourceInput{StackName: "demo", LogicalResourceId: "X"}); text(err) != "Resource X does not exist for stack demo" {
			t.Errorf("%v", err)
		}
		got, err := b.DescribeStackResources(b.ctx, &cfn.DescribeStackResourcesInput{PhysicalResourceId: shape.Ptr(b.cloud.things()[0])})
		if err != nil || len(got.StackResources) != 2 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestPagesAndPurge(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, newCloud())
		for i := range pageSize + 5 {
			b.must(b.create(fmt.Sprintf("s%03d", i), "Resources: {A: {Type: AWS::Logs::LogGroup}}"))
		}
		seen := map[string]bool{}
		in := &cfn.DescribeStacksInput{}
		pages := 0
		for ; pages < 5; pages++ {
			out, err := b.DescribeStacks(b.ctx, in)
			b.must(err)
			for _, st := range out.Stacks {
				seen[st.StackName] = true
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if len(seen) != pageSize+5 || pages != 1 {
			t.Errorf("%d stacks on %d pages", len(seen), pages+1)
		}
		if _, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{NextToken: shape.Ptr("?")}); code(err) != "ValidationError" {
			t.Errorf("%v", err)
		}
		var wide strings.Builder
		wide.WriteString("Resources:\n")
		for i := range pageSize + 5 {
			fmt.Fprintf(&wide, "  R%03d: {Type: AWS::Logs::LogGroup}\n", i)
		}
		b.must(b.create("wide", wide.String()))
		if n := len(b.events("wide")); n != 3*(pageSize+5)+2 {
			t.Errorf("%d events", n)
		}
		first, err := b.ListStackResources(b.ctx, &cfn.ListStackResourcesInput{StackName: "wide"})
		b.must(err)
		rest, err := b.ListStackResources(b.ctx, &cfn.ListStackResourcesInput{StackName: "wide", NextToken: first.NextToken})
		b.must(err)
		if len(first.StackResourceSummaries) != pageSize || len(rest.StackResourceSummaries) != 5 || rest.NextToken != nil {
			t.Errorf("%d and %d resources", len(first.StackResourceSummaries), len(rest.StackResourceSummaries))
		}

		id := *b.stack("wide").StackId
		b.must(b.delete("wide"))
		b.must(b.purge(b.ctx))
		b.status(id, "DELETE_COMPLETE")
		b.Service.o.Now = func() time.Time { return time.Now().Add(keepDeleted + time.Hour) }
		b.must(b.purge(b.ctx))
		if _, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{StackName: &id}); text(err) != "Stack with id "+id+" does not exist" {
			t.Errorf("%v", err)
		}
		if n, err := view(b.ctx, db, func(tx *store.Tx) (n int, err error) {
			return n, tx.QueryRow("SELECT count(*) FROM stack_events WHERE stack_id = $1", id).Scan(&n)
		}); n != 0 || err != nil {
			t.Errorf("%d events are left, %v", n, err)
		}
		b.status("s000", "CREATE_COMPLETE")
	})
}

// TestTwoServers: two servers on one database; each answers, one works, the other takes over only when
// the first is silent for too long.
func TestTwoServers(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		if !strings.HasPrefix(url, "postgres") {
			t.Skip("one process only")
		}
		c := newCloud()
		b1 := open(t, storetest.Open(t, url), c)
		met, release := c.block("create B")
		done := make(chan error)
		go func() { done <- b1.create("demo", chain) }()
		<-met
		b2 := open(t, storetest.Open(t, url), c)
		if err := b2.update("demo", chain, "Value=two"); !strings.Contains(text(err), "CREATE_IN_PROGRESS state and can not be updated") {
			t.Errorf("%v", err)
		}
		// The first one stalls, the second takes over, then the first one wakes up.
		b2.must(b2.take(b2.ctx, *b2.stack0("demo").StackId, b1.owner))
		for c.count("create B") < 2 {
			time.Sleep(time.Millisecond)
		}
		release()
		<-done
		b2.status("demo", "CREATE_COMPLETE")
		calls := c.take()
		slices.Sort(calls)
		b2.expect("calls", calls, []string{"create A", "create B", "create B", "create C"})
		b2.must(b2.delete("demo"))
		b2.expect("what exists", c.things(), nil)
	})
}

// TestTools deploys the templates that real tools have made, where they stand beside the checkout, as far
// as parsing and planning goes.
func TestTools(t *testing.T) {
	list, _ := filepath.Glob("../../../shared/templates/*.template.json")
	n := 0
	for _, path := range list {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n++
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			b := open(t, db, newCloud(), func(o *Options) {
				o.Objects = objects{"b/t": string(body)}
				o.Registry = new(resource.Registry)
				for _, name := range resource.SchemaNames() {
					if name != "AWS::CDK::Metadata" {
						o.Registry.Register(resource.Type{Name: name, Handler: anything{}})
					}
				}
			})
			b.par["/cdk-bootstrap/hnb659fds/version"] = "33"
			start := time.Now()
			_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: "tool", TemplateURL: shape.Ptr("http://127.0.0.1/b/t"), Capabilities: allCaps})
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			b.status("tool", "CREATE_COMPLETE")
			t.Logf("%s: %d resources in %v", filepath.Base(path), len(b.resources("tool")), time.Since(start))
			b.must(b.delete("tool"))
		})
	}
	t.Logf("%d templates of tools", n)
}

// anything makes resources of any type.
type anything struct{}

func (anything) Create(_ context.Context, r *resource.Request) (resource.Result, error) {
	s, _ := resource.LoadSchema(r.Type)
	res := resource.Result{PhysicalID: r.PhysicalName(100, false), Attrs: map[string]any{}}
	if s != nil {
		for a := range s.Attributes {
			res.Attrs[a] = "arn:aws:lambda:us-east-1:000000000000:function:" + a
		}
	}
	return res, nil
}

func (anything) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	res, err := anything{}.Create(ctx, r)
	res.PhysicalID = r.PhysicalID
	return res, err
}

func (anything) Delete(context.Context, *resource.Request) error { return nil }
