package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-dev/gatehouse"

// home returns the entry of Of that path falls under.
func home(path string) (string, bool) {
	for p := path; ; {
		if _, ok := Of[p]; ok && (p != "" || path == "") {
			return p, true
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			return "", false
		}
		p = p[:i]
	}
}

func TestImportsOnlyGoDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %s", ee.Stderr)
		}
		t.Fatal(err)
	}
	checked := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, module), "/")
		if top, _, _ := strings.Cut(path, "/"); top == "examples" || top == "bench" {
			continue // programs of their own; they see what the outside sees
		}
		from, ok := home(path)
		if !ok {
			t.Errorf("%s stands on no floor: give it one in internal/floors, with the reason in ARCHITECTURE.md", path)
			continue
		}
		for _, imp := range pkg.Imports {
			if imp != module && !strings.HasPrefix(imp, module+"/") {
				continue
			}
			to, ok := home(strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"))
			if !ok || to == from {
				continue
			}
			checked++
			if Of[to] >= Of[from] && !slices.Contains(SameFloor[from], to) {
				t.Errorf("%s (floor %d) imports %s (floor %d)", path, Of[from], to, Of[to])
			}
		}
	}
	if checked == 0 {
		t.Error("no import was checked")
	}
}
