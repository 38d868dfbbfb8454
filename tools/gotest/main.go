// Gotest runs `go test` in the modules of this repository and counts.
//
//	go run -C tools ./gotest [-short] [-p N] [-timeout D] MODULE…
//
// A MODULE is a directory below the repository's root. For each package it prints one line, for each
// test that failed its output, for each test that was skipped the reason, and for each module the
// counts. The last line is alone on its line, for those who read it by program:
//
//	1234 passed, 0 failed, 5 skipped
//
// What is counted are tests without subtests, so a table of ten rows counts ten. A package that does
// not build, dies or runs out of time counts as one that failed. The exit code is 1 if anything did.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	root := flag.String("root", "..", "directory of the main module")
	short := flag.Bool("short", false, "leave out what takes long or needs other programs")
	parallel := flag.Int("p", 0, "packages that are built and tested at the same time; 0: as many as there are cores")
	timeout := flag.Duration("timeout", 10*time.Minute, "time that the tests of one package may take")
	flag.Parse()
	modules := flag.Args()
	if len(modules) == 0 {
		modules = []string{"."}
	}
	var total counts
	for _, m := range modules {
		args := []string{"test", "-json", "-timeout", timeout.String()}
		if *short {
			args = append(args, "-short")
		}
		if *parallel > 0 {
			args = append(args, "-p", fmt.Sprint(*parallel))
		}
		begin := time.Now()
		c, err := run(filepath.Join(*root, m), append(args, "./..."), os.Stdout)
		if err != nil {
			fmt.Fprintln(os.Stderr, "gotest:", err)
			os.Exit(2)
		}
		fmt.Printf("%s: %v, in %d packages, in %v\n\n", name(m), c, c.packages, time.Since(begin).Round(time.Second))
		total.add(c)
	}
	fmt.Println(total)
	if total.failed > 0 {
		os.Exit(1)
	}
}

func name(module string) string {
	if module == "." {
		return "main module"
	}
	return "module " + module
}

// run runs go with args in dir and reports on w.
func run(dir string, args []string, w io.Writer) (counts, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return counts{}, err
	}
	if err := cmd.Start(); err != nil {
		return counts{}, err
	}
	r := newReport(w)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				r.add(e)
			} else {
				w.Write(line) // what the go command says outside the protocol
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return r.counts, err
		}
	}
	err = cmd.Wait()
	c := r.counts
	if err != nil && c.failed == 0 { // go itself failed: no such package, a broken go.mod
		fmt.Fprintf(w, "FAIL  go test: %v\n", err)
		c.failed++
	}
	return c, nil
}
