// Package runtime runs functions: it keeps the execution environments of every function version,
// hands them events one at a time, and reports results, faults and logs as AWS Lambda does.
//
// # Environments
//
// An execution environment is one child process in a process group of its own, with a private
// directory for its temporary files, an environment that holds nothing of the server's, and one
// pipe for everything it prints. Two kinds of process exist:
//
//   - Framed: Node.js and Python run a small bootstrap of ours (bootstrap/), which reads and writes
//     length-prefixed frames on an inherited socket, descriptor 3. That costs about a quarter of
//     what their HTTP clients cost. A framed process is generic until it is told its function by
//     the first frame, so an idle one can be started in advance ([Options.Prefork]).
//   - HTTP: compiled and custom runtimes (provided.al2023, provided.al2, go1.x) speak the Lambda
//     Runtime API, https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, to a listener
//     that belongs to their environment alone.
//
// # Scaling
//
// The environments of one revision of a function form a pool. An invocation takes the environment
// that became idle last; when there is none, it waits for whichever comes first, one that becomes
// free or a new one. New ones are started at once up to the number of cores, and beyond that only
// for invocations that have waited a few milliseconds: fast functions stay on few processes, slow
// ones spread to their concurrency limit. Idle environments end after [Options.IdleTimeout], the
// ones beyond [Options.MaxIdle] after a few seconds.
//
// # Faults
//
// What a function does wrong is a [Result] with FunctionError set and Lambda's payload: an error it
// returned, a crash, a time-out, a failing initialisation (tried a second time within the
// invocation, as on Lambda). What the caller must be told instead is an [*Error]: throttling, or a
// runtime that cannot run on this machine.
//
// # Limits
//
// Time-outs kill the process group. Memory is watched on Linux: a process whose unshared resident
// memory passes the function's size is killed and reported as Lambda reports it; Node.js gets a
// heap limit besides. Memory of a function's own child processes is not counted, and the size of
// its temporary directory is not limited, until functions run contained. Nor can a process of the
// same machine be kept from the loopback port of a compiled function's Runtime API, or the children
// of a function be made to die when the server is killed with SIGKILL; the function itself does, on
// Linux. Every process start goes through [startProcess] in process.go, which is the place for
// containment. Layers, extensions,
// response streaming and SnapStart are not supported and are refused by name where they show.
package runtime
