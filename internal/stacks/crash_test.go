package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// eachURL runs f with a database that outlives its connection.
func eachURL(t *testing.T, f func(t *testing.T, url string)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		if url == "memory:" {
			t.Skip("ends with its process")
		}
		f(t, url)
	})
}

// crash leaves a service as a killed process would: nothing more of it reaches the database.
func crash(t *testing.T, b *bench, db *store.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b.stop()
}

// TestKilled stops the server in each call of a creation, an update, a failing update and a deletion,
// before and after the call has had its effect. The next server goes on, and what exists in the end is what
// the stack says.
func TestKilled(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		round := 0
		for _, tt := range []struct {
			name, call string
			update     bool
			fail       string
			status     string
			left       int
		}{
			{"create first", "create A", false, "", "CREATE_COMPLETE", 3},
			{"create last", "create X", false, "", "CREATE_COMPLETE", 3},
			{"rollback of a creation", "delete A", false, "create X", "ROLLBACK_COMPLETE", 0},
			{"replacement", "create A", true, "", "UPDATE_COMPLETE", 3},
			{"update", "update B", true, "", "UPDATE_COMPLETE", 3},
			{"cleanup", "delete A", true, "", "UPDATE_COMPLETE", 3},
			{"rollback of an update", "update B", true, "create X", "UPDATE_ROLLBACK_COMPLETE", 2},
			{"cleanup of a rollback", "delete A", true, "create X", "UPDATE_ROLLBACK_COMPLETE", 2},
			{"deletion", "delete B", false, "", "DELETE_COMPLETE", 0},
		} {
			for _, effect := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, effect %v", tt.name, effect), func(t *testing.T) {
					round++
					name := fmt.Sprintf("s%d", round)
					c := newCloud()
					db, err := store.Open(t.Context(), store.Options{URL: url})
					if err != nil {
						t.Fatal(err)
					}
					b := open(t, db, c)
					args := []string{"Extra=yes"}
					if tt.update || tt.name == "deletion" {
						p := []string{}
						if tt.name == "deletion" {
							p = args
						}
						b.must(b.create(name, two, p...))
						b.status(name, map[bool]string{true: "CREATE_COMPLETE", false: "CREATE_COMPLETE"}[tt.update])
					}
					if tt.fail != "" {
						c.set(tt.fail, errors.New("no"))
					}
					c.effect = effect
					var met <-chan struct{}
					arm := func() { met, _ = c.block(tt.call) }
					if tt.fail != "" && tt.call == "update B" {
						// The second update of B, which is the one back.
						reached, release := c.block(tt.fail)
						go func() { <-reached; arm2(c, tt.call, &met); release() }()
					} else {
						arm()
					}
					go func() {
						ctx := as(t, "us-east-1")
						switch {
						case tt.name == "deletion":
							b.DeleteStack(ctx, &cfn.DeleteStackInput{StackName: name})
						case tt.update:
							b.UpdateStack(ctx, &cfn.UpdateStackInput{StackName: name, TemplateBody: shape.Ptr(two), Parameters: params("Group=g2", "Value=v2", "Extra=yes"), Capabilities: allCaps})
						default:
							b.CreateStack(ctx, &cfn.CreateStackInput{StackName: name, TemplateBody: shape.Ptr(two), Parameters: params(args...), Capabilities: allCaps})
						}
					}()
					for {
						c.mu.Lock()
						m := met
						c.mu.Unlock()
						if m != nil {
							<-m
							break
						}
						time.Sleep(time.Millisecond)
					}
					id := *b.stack0(name).StackId
					crash(t, b, db)

					c.unblock()
					db2 := storetest.Open(t, url)
					later := func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Hour) } }
					b2 := open(t, db2, c, later)
					b2.status(id, tt.status)
					if things := c.things(); len(things) != tt.left {
						t.Errorf("there are %v, want %d\n%s", things, tt.left, strings.Join(b2.events(id), "\n"))
					}
					if tt.status != "DELETE_COMPLETE" {
						for _, r := range b2.resources(id) {
							f := strings.Split(r, " ")
							_, there := c.exists[f[1]]
							if gone := strings.HasPrefix(f[2], "DELETE_") || strings.HasSuffix(f[2], "CREATE_FAILED"); gone == there {
								t.Errorf("%s, but exists: %v", r, there)
							}
						}
						b2.must(b2.delete(id))
						b2.status(id, "DELETE_COMPLETE")
					}
					if things := c.things(); len(things) != 0 {
						t.Errorf("left: %v", things)
					}
				})
			}
		}
	})
}

// arm2 blocks a call from now on.
func arm2(c *cloud, call string, met *<-chan struct{}) {
	m, _ := c.block(call)
	c.mu.Lock()
	*met = m
	c.mu.Unlock()
}

// TestCrashLoop: an operation that was taken up again and again is rolled back.
func TestCrashLoop(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		c := newCloud()
		c.block("create B")
		var now atomic.Int64
		clock := func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(now.Load())) } }
		for i := range maxAttempts + 2 {
			db, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			now.Add(int64(time.Hour))
			b := open(t, db, c, clock)
			if i == 0 {
				go func() { b.create("loop", chain) }()
			}
			if i == maxAttempts+1 {
				c.unblock()
				st := b.status("loop", "ROLLBACK_COMPLETE")
				if !slices.Contains(b.events("loop"), "loop ROLLBACK_IN_PROGRESS The server stopped 4 times during this operation. Rollback requested by user.") {
					t.Errorf("%s: %v", *st.StackId, b.events("loop"))
				}
				b.expect("what exists", c.things(), nil)
				db.Close()
				break
			}
			for !slices.Contains(c.take(), "create B") {
				time.Sleep(time.Millisecond)
			}
			crash(t, b, db)
		}
	})
}

// TestClose: Close waits for running handlers, and what is left goes on after the next start.
func TestClose(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		c := newCloud()
		db, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		b := open(t, db, c)
		met, release := c.block("create B")
		go func() { b.create("demo", chain) }()
		<-met
		closed := make(chan error)
		go func() { closed <- b.Close(context.Background()) }()
		<-b.closed
		release()
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		b.expect("calls", c.take(), []string{"create A", "create B"})
		db.Close()
		b2 := open(t, storetest.Open(t, url), c)
		b2.status("demo", "CREATE_COMPLETE")
		b2.expect("calls", c.take(), []string{"create C"})

		// A handler that does not end is left behind.
		_, release = c.block("update C")
		defer release()
		go b2.update("demo", strings.Replace(chain, "Value: !GetAtt B.Arn}", "Value: other}", 1))
		for len(c.take()) == 0 {
			time.Sleep(time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if err := b2.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

const killEnv = "GATEHOUSE_STACKS_KILL_TEST"

// TestSIGKILL kills a process at random moments of its deployments. Its resources are files.
func TestSIGKILL(t *testing.T) {
	if dir := os.Getenv(killEnv); dir != "" {
		deployUntilKilled(t, dir)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	for i := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSIGKILL$")
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+37*i) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	f := files(filepath.Join(dir, "things"))
	b := openFiles(t, dir, f)
	list, err := b.DescribeStacks(b.ctx, &cfn.DescribeStacksInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, st := range list.Stacks {
		final := b.stack(*st.StackId)
		t.Logf("%s is %s, %s", final.StackName, final.StackStatus, shape.Val(final.StackStatusReason))
		for _, r := range b.resources(*st.StackId) {
			if w := strings.Split(r, " "); !strings.HasPrefix(w[2], "DELETE_") {
				want[w[1]] = true
			}
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n, err := view(b.ctx, b.o.DB, func(tx *store.Tx) (n int, err error) {
			return n, tx.QueryRow("SELECT count(*) FROM stack_operations").Scan(&n)
		})
		if err != nil || n == 0 || time.Now().After(deadline) {
			if n != 0 || err != nil {
				t.Errorf("%d operations are left, %v", n, err)
			}
			break
		}
	}
	b.expect("what exists", f.things(t), slices.Sorted(maps.Keys(want)))
	t.Logf("%d stacks, %d things", len(list.Stacks), len(want))
}

// files makes resources as files; the name follows from the token, so that a second try finds the first.
type files string

func (f files) Create(_ context.Context, r *resource.Request) (resource.Result, error) {
	name := r.PhysicalName(60, true)
	data, _ := json.Marshal(r.Props)
	return resource.Result{PhysicalID: name, Attrs: map[string]any{"Arn": "arn:" + name, "RoleId": "x"}}, os.WriteFile(filepath.Join(string(f), name), data, 0o600)
}

func (f files) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	data, _ := json.Marshal(r.Props)
	return resource.Result{PhysicalID: r.PhysicalID, Attrs: map[string]any{"Arn": "arn:" + r.PhysicalID, "RoleId": "x"}}, os.WriteFile(filepath.Join(string(f), r.PhysicalID), data, 0o600)
}

func (f files) Delete(_ context.Context, r *resource.Request) error {
	if err := os.Remove(filepath.Join(string(f), r.PhysicalID)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (f files) things(t *testing.T) []string {
	list, err := os.ReadDir(string(f))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func openFiles(t *testing.T, dir string, f files) *bench {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		t.Fatal(err)
	}
	return open(t, storetest.Open(t, "sqlite:"+filepath.Join(dir, "test.db")), newCloud(), func(o *Options) {
		o.Registry = new(resource.Registry)
		for _, typ := range cloudTypes {
			o.Registry.Register(resource.Type{Name: typ, Handler: f})
		}
	})
}

func deployUntilKilled(t *testing.T, dir string) {
	b := openFiles(t, dir, files(filepath.Join(dir, "things")))
	time.AfterFunc(time.Minute, func() { os.Exit(1) })
	for i := 0; ; i++ {
		name := fmt.Sprintf("s%d-%d", os.Getpid(), i%2)
		if err := b.create(name, two, "Extra=yes"); err != nil && code(err) != "AlreadyExistsException" {
			t.Error(err)
		}
		for _, p := range [][]string{{"Group=g2"}, {"Group=g3", "Extra=yes", "Value=v2"}} {
			b.update(name, two, p...)
		}
		if i%3 == 2 {
			b.delete(name)
		}
	}
}
