package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse"
)

var here = flag.Bool("here", false, "run the servers in the benchmark's own process, where -cpuprofile and -memprofile see them; the costs are then those of load and servers together")

// serveEnv says what a process of this test binary is to serve instead of running benchmarks.
const serveEnv = "GATEHOUSE_BENCH_SERVE"

func TestMain(m *testing.M) {
	if what := os.Getenv(serveEnv); what != "" {
		if err := child(what, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve serves what, and returns where: Gatehouse on a data directory, a bare reverse proxy before a
// URL, or a backend.
func serve(what, arg string) (addr string, end func(), err error) {
	switch what {
	case "gatehouse":
		s := &gatehouse.Server{Dir: arg, Addr: "127.0.0.1:0", AuthOpen: true}
		if err := s.Start(context.Background()); err != nil {
			return "", nil, err
		}
		return s.URL(), func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			s.Close(ctx)
		}, nil
	case "httputil":
		u, err := url.Parse(arg)
		if err != nil {
			return "", nil, err
		}
		proxy := httputil.NewSingleHostReverseProxy(u)
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
		s := httptest.NewServer(proxy)
		return s.URL, s.Close, nil
	case "backend":
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
		return s.URL, s.Close, nil
	}
	return "", nil, errors.New("nothing to serve is called " + what)
}

// child serves until its standard input ends, and answers each line there with what it has used.
func child(what, arg string) error {
	addr, end, err := serve(what, arg)
	if err != nil {
		return err
	}
	defer end()
	fmt.Println(addr)
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := out.Encode(used()); err != nil {
			return err
		}
	}
	return in.Err()
}

// usage is what a process has used since it began.
type usage struct {
	CPU           time.Duration
	Allocs, Bytes uint64
}

func used() usage {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.Mallocs, m.TotalAlloc}
}

// process is a server in a process of its own, so that its costs can be told from those of the load;
// or, with -here, in this one.
type process struct {
	url string
	ask func() usage
	pid int
	end func()
}

func startProcess(tb testing.TB, what, arg string) *process {
	tb.Helper()
	if *here {
		addr, end, err := serve(what, arg)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(end)
		return &process{addr, used, os.Getpid(), end}
	}
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(exe, arg)
	cmd.Env = append(os.Environ(), serveEnv+"="+what)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	end := func() {
		in.Close()
		cmd.Wait()
	}
	tb.Cleanup(end)
	r := bufio.NewReader(out)
	addr, err := r.ReadString('\n')
	if err != nil {
		tb.Fatalf("%s does not start: %v", what, err)
	}
	ask := func() (u usage) {
		io.WriteString(in, "used\n")
		line, err := r.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &u)
		}
		if err != nil {
			tb.Fatalf("%s: %v", what, err)
		}
		return u
	}
	return &process{addr[:len(addr)-1], ask, cmd.Process.Pid, end}
}

// settle waits until the process has had nothing to do for 1.2 seconds: a server makes signing keys ahead
// of their need, a second after its start or when it has signed nothing for a while.
func (p *process) settle() {
	deadline := time.Now().Add(30 * time.Second)
	for quiet := 0; quiet < 12 && time.Now().Before(deadline); quiet++ {
		before := p.ask().CPU
		time.Sleep(100 * time.Millisecond)
		if p.ask().CPU-before > 10*time.Millisecond {
			quiet = 0
		}
	}
}
