package bench

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// release builds the binary as it is released.
func release(b *testing.B) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "gatehouse")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "../cmd/gatehouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
	return bin
}

// BenchmarkReady starts the binary on a new directory, and on one that it has made before.
func BenchmarkReady(b *testing.B) {
	bin := release(b)
	b.Run("new", func(b *testing.B) { ready(b, bin, "") })
	b.Run("empty", func(b *testing.B) {
		dir := b.TempDir()
		launch(b, bin, dir, 5*time.Second) // signing keys are made ahead
		ready(b, bin, dir)
	})
}

// ready reports the time from the start of the binary to its first answer, what it holds in memory two
// seconds later, and how large it is. An empty dir stands for a new one each time.
func ready(b *testing.B, bin, dir string) {
	st, err := os.Stat(bin)
	if err != nil {
		b.Fatal(err)
	}
	times := make([]time.Duration, b.N)
	var rss, private float64
	for i := range times {
		d := dir
		if d == "" {
			d = filepath.Join(b.TempDir(), strconv.Itoa(i))
		}
		r, p := 0.0, 0.0
		times[i], r, p = launch(b, bin, d, 2*time.Second)
		rss += r
		private += p
	}
	b.ReportMetric(0, "ns/op")
	report(b, times)
	b.ReportMetric(rss/float64(b.N), "MB-resident")
	b.ReportMetric(private/float64(b.N), "MB-private")
	b.ReportMetric(float64(st.Size())/1e6, "MB-binary")
}

// launch starts the binary, and stops it when it has been idle for a while after its first answer.
func launch(b *testing.B, bin, dir string, idle time.Duration) (first time.Duration, resident, private float64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(bin, "start", "--listen", addr, "--data", dir)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}()
	for {
		if resp, err := http.Get("http://" + addr + "/_gatehouse/health"); err == nil {
			resp.Body.Close()
			first = time.Since(begun)
			break
		}
		if time.Since(begun) > 10*time.Second {
			b.Fatal("no answer in ten seconds")
		}
		time.Sleep(200 * time.Microsecond)
	}
	time.Sleep(idle)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Skip("resident memory is only read on Linux")
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 {
			kB, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "VmRSS:":
				resident = kB / 1024
			case "RssAnon:":
				private = kB / 1024
			}
		}
	}
	return first, resident, private
}
