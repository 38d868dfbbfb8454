package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// The environment variables through which gatehouse asks an app for its stacks.
const (
	envSynth = "GATEHOUSE_SYNTH" // the file to write
	envStage = "GATEHOUSE_STAGE"
)

// assembly is what an app tells gatehouse, as JSON in the file that GATEHOUSE_SYNTH names.
type assembly struct {
	Version int             `json:"version"` // 1
	App     string          `json:"app"`
	Stage   string          `json:"stage"`
	Dir     string          `json:"dir"` // the app's directory, which the paths in Code start from
	Stacks  []assemblyStack `json:"stacks"`
	Outputs []string        `json:"outputs"` // in the order in which to show them
}

type assemblyStack struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Template    *Template `json:"template"`
}

// Main is the main function of an app: it builds the stack and exits.
//
// gatehouse dev, deploy and remove run the app by themselves. By hand, `go run .` prints the
// template; -stage chooses the stage, -o a file, -h tells more. Mistakes in the app go to standard
// error, one a line with file and line of the source; then nothing is written and the status is 1.
func Main(name string, build func(*Stack)) {
	os.Exit(run(name, appDir(), build, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(name, dir string, build func(*Stack), args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	file, stage := getenv(envSynth), getenv(envStage)
	asked := file != ""
	if !asked {
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		flags.SetOutput(stderr)
		flags.StringVar(&stage, "stage", cmp.Or(stage, "dev"), "build for this `STAGE`")
		flags.StringVar(&file, "o", "-", "write to `FILE`; - is standard output")
		flags.Usage = func() {
			fmt.Fprintf(stderr, usage, name)
			flags.PrintDefaults()
		}
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return 0
		} else if err != nil {
			return 2
		}
		if flags.NArg() > 0 {
			fmt.Fprintf(stderr, "%s: unexpected argument %q\n", name, flags.Arg(0))
			flags.Usage()
			return 2
		}
	}
	t, err := synth(name, cmp.Or(stage, "dev"), dir, build)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	out := t.JSON()
	if asked {
		out = indented(assembly{
			Version: 1, App: name, Stage: cmp.Or(stage, "dev"), Dir: dir, Outputs: append([]string{}, t.outputs...),
			Stacks: []assemblyStack{{Name: t.StackName, Description: t.Description, Template: t}},
		})
	}
	if file == "-" {
		_, err = stdout.Write(out)
	} else {
		err = writeFile(file, out)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

const usage = `%[1]s is an app of Gatehouse. Run by hand, it prints its CloudFormation template,
in which the Code of each function is the path of its source.

    gatehouse dev DIR                    run the app and reload it as it changes
    gatehouse deploy DIR --stage prod    build its functions and deploy it

Flags:
`

// writeFile writes the whole file or nothing.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = io.Copy(f, bytes.NewReader(data))
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// appDir is the directory of the source file that calls Main or Synth, or the working directory when
// the program was built elsewhere or with -trimpath.
func appDir() string {
	_, file, _, ok := runtime.Caller(2)
	if ok && filepath.IsAbs(file) {
		if _, err := os.Stat(file); err == nil {
			return filepath.Dir(file)
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}

var _ json.Marshaler = (*Template)(nil)
