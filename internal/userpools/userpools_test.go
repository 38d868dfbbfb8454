package userpools

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const testRegion = "eu-central-1"

// fixture is a service on a database, with a clock of its own.
type fixture struct {
	*Service
	t   testing.TB
	ctx context.Context
	mu  sync.Mutex
	at  time.Time
}

// each runs a test on every engine.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	storetest.EachURL(t, func(t *testing.T, url string) { test(t, newFixture(t, url)) })
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	box, err := seal.FromBytes(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, at: time.Now()}
	f.ctx = wire.WithCall(t.Context(), &wire.Call{Region: testRegion, Account: "000000000000"})
	now := func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.at }
	db := storetest.OpenOptions(t, store.Options{URL: url, Now: now})
	outbox, err := message.New(db, box, message.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outbox.Close() })
	set := keys.Open(db, box, keys.Options{Stash: -1})
	t.Cleanup(set.Close)
	f.Service = New(Options{DB: db, Seal: box, Keys: set, Outbox: outbox, Account: "000000000000", Now: now})
	return f
}

func (f *fixture) pass(d time.Duration) { f.mu.Lock(); f.at = f.at.Add(d); f.mu.Unlock() }

// must returns a result whose error is nil.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return v
	}
}

// wantErr checks for an error by code and message, "Code: message"; a trailing "…" matches any rest.
func wantErr(t testing.TB, err error, want string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want %s", err, want)
	}
	if cut, ok := strings.CutSuffix(want, "…"); ok && strings.HasPrefix(e.Error(), cut) {
		return
	}
	if e.Error() != want {
		t.Fatalf("error is %q, want %q", e.Error(), want)
	}
}

func (f *fixture) newPool(in cognitoidp.CreateUserPoolRequest) string {
	f.t.Helper()
	in.PoolName = "people"
	return *must(f.CreateUserPool(f.ctx, &in))(f.t).UserPool.Id
}

func (f *fixture) newClient(pool string, in cognitoidp.CreateUserPoolClientRequest) string {
	f.t.Helper()
	in.UserPoolId, in.ClientName = pool, "app"
	if in.ExplicitAuthFlows == nil {
		in.ExplicitAuthFlows = []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
	}
	return *must(f.CreateUserPoolClient(f.ctx, &in))(f.t).UserPoolClient.ClientId
}

func attrs(pairs ...string) (list []cognitoidp.AttributeType) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, cognitoidp.AttributeType{Name: pairs[i], Value: &pairs[i+1]})
	}
	return list
}

const goodPassword = "Passw0rd!"

func (f *fixture) signUpUser(client, name string, a ...string) string {
	f.t.Helper()
	return must(f.SignUp(f.ctx, &cognitoidp.SignUpRequest{ClientId: client, Username: name, Password: shape.Ptr(goodPassword), UserAttributes: attrs(a...)}))(f.t).UserSub
}

func (f *fixture) confirmed(pool, client, name string, a ...string) string {
	f.t.Helper()
	sub := f.signUpUser(client, name, a...)
	must(f.AdminConfirmSignUp(f.ctx, &cognitoidp.AdminConfirmSignUpRequest{UserPoolId: pool, Username: name}))(f.t)
	return sub
}

func (f *fixture) signIn(client, name, password string) (*cognitoidp.InitiateAuthResponse, error) {
	return f.InitiateAuth(f.ctx, &cognitoidp.InitiateAuthRequest{ClientId: client, AuthFlow: "USER_PASSWORD_AUTH",
		AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": password}})
}

// lastMessage is the newest in the outbox.
func (f *fixture) lastMessage() message.Message {
	f.t.Helper()
	list := must(f.outbox.List(f.ctx, message.Filter{}, 1))(f.t)
	if len(list) == 0 {
		f.t.Fatal("the outbox is empty")
	}
	return list[0]
}

func claimsOf(t testing.TB, jwt string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
