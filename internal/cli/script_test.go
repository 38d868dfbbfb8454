package cli

import (
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gatehouse": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the files of testdata/script, one for each behaviour of the command line. $PORT is
// a free port.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			e.Setenv("PORT", port)
			for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE", "GOFLAGS", "GOPROXY"} {
				if v := os.Getenv(name); v != "" {
					e.Setenv(name, v)
				}
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// waitfor PORT waits until a server answers there.
			"waitfor": func(ts *testscript.TestScript, neg bool, args []string) {
				for range 200 {
					if resp, err := http.Get("http://127.0.0.1:" + args[0] + "/_gatehouse/health"); err == nil {
						resp.Body.Close()
						return
					}
					time.Sleep(25 * time.Millisecond)
				}
				ts.Fatalf("nothing answers on port %s", args[0])
			},
		},
	})
}
