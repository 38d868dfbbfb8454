package stacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// cloud is a place where resources are made: it records what handlers were asked for and what exists.
type cloud struct {
	mu     sync.Mutex
	calls  []string // "create A", "update A", "delete A-1"
	exists map[string]map[string]any
	made   map[string]string // physical ids by token
	serial int
	fail   map[string]error            // by "create A"
	hold   map[string]<-chan struct{}  // by "create A": waits before it acts
	met    map[string]chan struct{}    // closed when "create A" is called
	seen   map[string]resource.Request // the last request of a call
	busy   int
	most   int // greatest number of calls at a time
	delay  time.Duration
	effect bool // a held call has its effect before it waits
}

func newCloud() *cloud {
	return &cloud{exists: map[string]map[string]any{}, made: map[string]string{}, fail: map[string]error{},
		hold: map[string]<-chan struct{}{}, met: map[string]chan struct{}{}, seen: map[string]resource.Request{}}
}

var cloudTypes = []string{"AWS::Logs::LogGroup", "AWS::SSM::Parameter", "AWS::IAM::Role", "AWS::Cognito::UserPool"}

func (c *cloud) registry() *resource.Registry {
	reg := new(resource.Registry)
	for _, t := range cloudTypes {
		reg.Register(resource.Type{Name: t, Handler: c})
	}
	return reg
}

// enter notes a call, waits where the test wants it, and fails where it does.
func (c *cloud) enter(ctx context.Context, verb string, r *resource.Request) error {
	call := verb + " " + r.LogicalID
	c.mu.Lock()
	c.calls = append(c.calls, call)
	c.seen[call] = *r
	c.busy++
	c.most = max(c.most, c.busy)
	hold, met, err := c.hold[call], c.met[call], c.fail[call]
	delete(c.met, call)
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.busy--; c.mu.Unlock() }()
	if wire.CallFrom(ctx).Region != "us-east-1" {
		return errors.New("not on behalf of the call")
	}
	if c.delay > 0 {
		time.Sleep(c.delay)
	}
	if hold == nil {
		return err
	}
	c.mu.Lock()
	effect := c.effect
	c.mu.Unlock()
	if effect && err == nil {
		c.act(verb, r)
	}
	if met != nil {
		close(met)
	}
	select {
	case <-hold:
	case <-ctx.Done():
		return ctx.Err()
	}
	return err
}

// act has the effect of a call.
func (c *cloud) act(verb string, r *resource.Request) (resource.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch verb {
	case "create":
		id := c.made[r.Token]
		if id == "" {
			c.serial++
			id = fmt.Sprintf("%s-%d", r.LogicalID, c.serial)
			c.made[r.Token] = id
		}
		c.exists[id] = r.Props
		return c.result(id), nil
	case "update":
		if _, ok := c.exists[r.PhysicalID]; !ok {
			return resource.Result{}, errors.New("gone: " + r.PhysicalID)
		}
		c.exists[r.PhysicalID] = r.Props
		return c.result(r.PhysicalID), nil
	}
	delete(c.exists, r.PhysicalID)
	return resource.Result{}, nil
}

// unblock lets all calls go.
func (c *cloud) unblock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.effect = false
	clear(c.met)
	clear(c.hold)
}

func (c *cloud) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := c.enter(ctx, "create", r); err != nil {
		return resource.Result{}, err
	}
	return c.act("create", r)
}

func (c *cloud) result(id string) resource.Result {
	return resource.Result{PhysicalID: id, Attrs: map[string]any{"Arn": "arn:" + id, "RoleId": "id-" + id}}
}

func (c *cloud) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if err := c.enter(ctx, "update", r); err != nil {
		return resource.Result{}, err
	}
	return c.act("update", r)
}

func (c *cloud) Delete(ctx context.Context, r *resource.Request) error {
	if err := c.enter(ctx, "delete", r); err != nil {
		return err
	}
	_, err := c.act("delete", r)
	return err
}

func (c *cloud) set(call string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail[call] = err
}

// block has a call wait until release; it has been reached when met is closed.
func (c *cloud) block(call string) (met <-chan struct{}, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, hold := make(chan struct{}), make(chan struct{})
	c.met[call], c.hold[call] = m, hold
	return m, sync.OnceFunc(func() {
		c.mu.Lock()
		delete(c.met, call)
		delete(c.hold, call)
		c.mu.Unlock()
		close(hold)
	})
}

// take returns the calls since the last time.
func (c *cloud) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

// count returns how often a call was made since the last take.
func (c *cloud) count(call string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.calls {
		if s == call {
			n++
		}
	}
	return n
}

func (c *cloud) things() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.exists))
}

// bench is a service with its cloud.
type bench struct {
	*Service
	t     testing.TB
	ctx   context.Context
	cloud *cloud
	par   map[string]string
}

func as(t testing.TB, region string) context.Context {
	return wire.WithCall(t.Context(), &wire.Call{RequestID: "r-1", Account: "000000000000", Region: region, Partition: "aws", Principal: "arn:aws:iam::000000000000:root"})
}

func open(t testing.TB, db *store.DB, c *cloud, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, ctx: as(t, "us-east-1"), cloud: c, par: map[string]string{}}
	o := Options{
		DB: db, Registry: c.registry(), Account: "000000000000",
		Parameter: func(_ context.Context, name string) (string, error) {
			if v, ok := b.par[name]; ok {
				return v, nil
			}
			return "", shape.Errorf("ParameterNotFound", 400, "")
		},
	}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	for _, f := range change {
		f(&o)
	}
	b.Service = New(o)
	for _, typ := range b.Resources() {
		if _, own := o.Registry.Lookup(typ.Name); !own {
			o.Registry.Register(typ)
		}
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		b.Close(ctx)
	})
	return b
}

// each runs f with a service on every engine.
func each(t *testing.T, f func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, open(t, db, newCloud())) })
}

func code(err error) string {
	var se *shape.Error
	if errors.As(err, &se) {
		return se.Code
	}
	return ""
}

func text(err error) string {
	var se *shape.Error
	if errors.As(err, &se) {
		return se.Message
	}
	if err != nil {
		return "!" + err.Error()
	}
	return ""
}

// params makes parameters of "key=value".
func params(kv ...string) []cfn.Parameter {
	var out []cfn.Parameter
	for _, s := range kv {
		k, v, _ := strings.Cut(s, "=")
		out = append(out, cfn.Parameter{ParameterKey: &k, ParameterValue: &v})
	}
	return out
}

var allCaps = []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}

func (b *bench) create(name, tpl string, p ...string) error {
	_, err := b.CreateStack(b.ctx, &cfn.CreateStackInput{StackName: name, TemplateBody: &tpl, Parameters: params(p...), Capabilities: allCaps})
	return err
}

func (b *bench) update(name, tpl string, p ...string) error {
	_, err := b.UpdateStack(b.ctx, &cfn.UpdateStackInput{StackName: name, TemplateBody: &tpl, Parameters: params(p...), Capabilities: allCaps})
	return err
}

func (b *bench) delete(name string) error {
	_, err := b.DeleteStack(b.ctx, &cfn.DeleteStackInput{StackName: name})
	return err
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// stack waits until nothing is in progress and describes the stack.
func (b *bench) stack(name string) cfn.Stack {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		out, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{StackName: &name})
		if err != nil {
			b.t.Fatal(err)
		}
		if st := out.Stacks[0]; !inProgress(st.StackStatus) {
			return st
		} else if time.Now().After(end) {
			b.t.Fatalf("%s stays in %s", name, st.StackStatus)
		}
	}
}

// status checks the status of a stack.
func (b *bench) status(name, want string) cfn.Stack {
	b.t.Helper()
	st := b.stack(name)
	if st.StackStatus != want {
		b.t.Fatalf("%s is %s (%s), want %s\n%s", name, st.StackStatus, shape.Val(st.StackStatusReason), want, strings.Join(b.events(name), "\n"))
	}
	return st
}

// events returns the history, oldest first: "Logical STATUS reason".
func (b *bench) events(name string) []string {
	b.t.Helper()
	var out []string
	in := &cfn.DescribeStackEventsInput{StackName: name}
	ids := map[string]bool{}
	for {
		got, err := b.DescribeStackEvents(b.ctx, in)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range got.StackEvents {
			if ids[e.EventId] {
				b.t.Errorf("event id %s twice", e.EventId)
			}
			ids[e.EventId] = true
			line := *e.LogicalResourceId + " " + *e.ResourceStatus
			if e.ResourceStatusReason != nil {
				line += " " + *e.ResourceStatusReason
			}
			out = append(out, line)
		}
		if in.NextToken = got.NextToken; in.NextToken == nil {
			slices.Reverse(out)
			return out
		}
	}
}

// resources returns "Logical physical STATUS".
func (b *bench) resources(name string) []string {
	b.t.Helper()
	got, err := b.DescribeStackResources(b.ctx, &cfn.DescribeStackResourcesInput{StackName: &name})
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, r := range got.StackResources {
		out = append(out, r.LogicalResourceId+" "+*r.PhysicalResourceId+" "+r.ResourceStatus)
	}
	return out
}

func (b *bench) expect(what string, got, want []string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s:\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
