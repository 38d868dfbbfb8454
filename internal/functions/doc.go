// Package functions answers Lambda's API: it keeps functions, their versions, aliases, permissions and
// code, and has package runtime run them.
//
// # Documents
//
// A function is one document, with the configuration of $LATEST, its aliases, resource policies and
// reserved concurrency in it; each published version is another. A call that runs a function reads
// neither from the store: what it needs is prepared once for each state of the documents and found
// again through the store's cache, which says when they have changed ([Service.resolve]).
//
// # Code
//
// A deployment package is a blob of the store, owned by the versions that use it, so every node that
// shares the database has it. It is unpacked to [Options.CodeDir], into a directory named by its hash,
// when it is uploaded and again wherever it is missing. Directories whose blob is gone are removed
// some time later, when no process can be using them any more.
//
// # Asynchronous events
//
// An event that was acknowledged with status 202 is a row in the store until it has been handled, so
// it survives the death of the server. As on AWS, a failing function is tried three times, and an
// event that finds no free environment waits for up to six hours.
//
// # Permissions
//
// The statements of AddPermission are kept as what they say. For a decision they are compiled into a policy,
// once for each state of the function, and package policy evaluates it: [Service.Permits] for the services
// that call functions, the gateway and triggers; [Service.FunctionPolicy] gives it to those who decide about
// somebody of an account.
//
// # Roles
//
// A function gets a role only if Lambda may act as it ([Options.Assumable]). What the role allows, its
// credentials allow; that is for those who give them out.
//
// # URLs
//
// The URL of a function, or of an alias, is part of the function's document, and a small document says whose
// an id is. Package gateway serves it: [Service.FunctionURL].
//
// # What is not there
//
// Container images, layers, file systems, VPCs, dead-letter queues, SnapStart, JSON log format, code
// signing, event source mappings and URLs that stream are refused by name. TracingConfig is kept and
// shown, but no traces are recorded.
package functions

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// An ObjectReader opens objects in buckets: code that was uploaded there. Its errors are those of S3.
type ObjectReader interface {
	OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error)
}

// Options are what a [Service] needs.
type Options struct {
	DB      *store.DB
	Seal    *seal.Key // seals environment variables
	Runtime *runtime.Manager
	Objects ObjectReader // nil: code cannot come from a bucket
	CodeDir string       // unpacked code; made if need be
	Account string       // 12 digits
	Logger  *slog.Logger

	// Assumable tells whether Lambda may act as a role: it exists, and its trust policy lets
	// lambda.amazonaws.com assume it. nil: roles are not looked at.
	Assumable func(ctx context.Context, roleARN string) (bool, error)

	Now func() time.Time // nil: time.Now
}

// Service implements the Lambda API.
type Service struct {
	lambda.Unimplemented
	Options

	mu       sync.RWMutex
	prepared map[reference]*prepared
	permits  map[permitRequest]permit

	code   codeStore
	events *eventQueue
}

var _ lambda.Handler = (*Service)(nil)

// New returns a service that works off asynchronous events until [Service.Close].
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Options: o, prepared: map[reference]*prepared{}, permits: map[permitRequest]permit{}, code: codeStore{db: o.DB, dir: o.CodeDir, log: o.Logger}}
	o.DB.OnChange(functions.Name, s.changed)
	s.events = newEventQueue(s)
	return s
}

// Close stops handing out asynchronous events and waits for those that run, until ctx ends. What is
// left is taken up at the next start.
func (s *Service) Close(ctx context.Context) error {
	s.code.close()
	return s.events.close(ctx)
}

// Bodies of requests with code: Lambda's limit of 50 MB, as base64 with something around it.
const (
	maxUpload  = 70167211
	maxZipped  = 52428800 // of a direct upload
	maxPayload = runtime.MaxRequest
)

// MaxBody returns the bound of an operation's request bodies in bytes, 0 for the usual one.
func MaxBody(operation string) int64 {
	switch operation {
	case "CreateFunction", "UpdateFunctionCode":
		return maxUpload
	case "Invoke", "InvokeAsync", "InvokeWithResponseStream":
		return maxPayload + 1 // so that the answer is Lambda's own
	}
	return 0
}
