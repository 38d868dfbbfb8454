package engine

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

var update = flag.Bool("update", false, "write docs/support.md")

// TestSupport: docs/support.md says what the code does.
func TestSupport(t *testing.T) {
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	got := support(t, e)
	const file = "../../docs/support.md"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/support.md is out of date: go test ./internal/engine -run TestSupport -update")
	}
}

func support(t *testing.T, e *Engine) []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Written by: go test ./internal/engine -run TestSupport -update -->\n\n" + `# What is supported

What is listed here as built is what the code has. An operation that is not built answers with an error that names it, a
resource type or property that is not supported fails the deployment by its name, and so does a setting that would be
stored and ignored.

## Operations

| service | built | of |
|---|---|---|
`)
	var built, rest, refused bytes.Buffer
	for _, s := range e.services {
		h := reflect.TypeOf(s.Handler)
		dir, pkg := source(t, h)
		have := methods(pkg, indirect(h).Name())
		var yes, no []string
		for _, op := range s.Model.Operations {
			if have[op.Name] {
				yes = append(yes, op.Name)
			} else {
				no = append(no, op.Name)
			}
		}
		slices.Sort(yes)
		slices.Sort(no)
		if len(yes) == 0 {
			t.Errorf("%s: none of the operations was found in %s", s.Model.ID, dir)
		}
		name := serviceName(s.Model)
		fmt.Fprintf(&b, "| %s | %d | %d |\n", name, len(yes), len(yes)+len(no))
		fmt.Fprintf(&built, "\n**%s:** %s.\n", name, strings.Join(yes, ", "))
		if len(no) > 0 {
			fmt.Fprintf(&rest, "\n**%s:** %s.\n", name, strings.Join(no, ", "))
		}
		if text := notThere(pkg, indirect(h).Name()); text != "" {
			fmt.Fprintf(&refused, "\n**%s.** %s\n", name, text)
		}
	}
	b.WriteString("\n### Built\n")
	b.Write(built.Bytes())
	b.WriteString("\n### Refused by name\n")
	b.Write(rest.Bytes())
	b.WriteString("\n### Within what is built\n\nFrom the services' design notes: what they refuse, and where they differ.\n")
	b.Write(refused.Bytes())

	b.WriteString("\n## Resource types\n\nProperties with ! are required; a change of one with ~ replaces the resource.\n")
	for _, d := range e.registry.Table() {
		var yes, no []string
		for _, p := range d.Properties {
			name := p.Name
			if p.Required {
				name += "!"
			}
			if p.Replace == resource.Always {
				name += "~"
			}
			if p.Supported {
				yes = append(yes, name)
			} else {
				no = append(no, p.Name)
			}
		}
		fmt.Fprintf(&b, "\n**%s**  \n%s.", d.Name, strings.Join(yes, ", "))
		// An attribute below a property that is refused is never there.
		attrs := slices.DeleteFunc(slices.Clone(d.Attributes), func(a string) bool {
			head, _, nested := strings.Cut(a, ".")
			return nested && slices.Contains(no, head)
		})
		if len(attrs) > 0 {
			fmt.Fprintf(&b, " GetAtt: %s.", strings.Join(attrs, ", "))
		}
		b.WriteByte('\n')
		if len(no) > 0 {
			fmt.Fprintf(&b, "Refused: %s.\n", strings.Join(no, ", "))
		}
	}
	return b.Bytes()
}

func serviceName(m *shape.Model) string {
	if m.Endpoint == m.ID {
		return m.ID
	}
	return m.ID + " (" + m.Endpoint + ")"
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// source parses the package of a handler's type.
func source(t *testing.T, h reflect.Type) (dir string, files []*ast.File) {
	_, below, _ := strings.Cut(indirect(h).PkgPath(), "/internal/")
	dir = filepath.Join("..", filepath.FromSlash(below))
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return dir, files
}

// methods returns the names of the methods that are declared for a type, which its embedded
// Unimplemented would otherwise answer.
func methods(files []*ast.File, typ string) map[string]bool {
	out := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			recv := fn.Recv.List[0].Type
			if star, ok := recv.(*ast.StarExpr); ok {
				recv = star.X
			}
			if id, ok := recv.(*ast.Ident); ok && id.Name == typ {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}

// notThere returns the sections of a package's design note that say what it does not do. A package with
// two handlers shows them with its Service.
func notThere(files []*ast.File, typ string) string {
	if typ != "Service" {
		return ""
	}
	headings := []string{"What is refused", "What is not there", "Where we answer otherwise than AWS"}
	var out strings.Builder
	for _, f := range files {
		if f.Doc == nil {
			continue
		}
		var p comment.Parser
		var pr comment.Printer
		in := false
		for _, block := range p.Parse(f.Doc.Text()).Content {
			if h, ok := block.(*comment.Heading); ok {
				in = slices.Contains(headings, string(plain(h.Text)))
				continue
			}
			if in {
				out.Write(pr.Markdown(&comment.Doc{Content: []comment.Block{block}}))
				out.WriteByte('\n')
			}
		}
	}
	return strings.TrimSpace(out.String())
}

func plain(text []comment.Text) comment.Plain {
	var b strings.Builder
	for _, t := range text {
		if p, ok := t.(comment.Plain); ok {
			b.WriteString(string(p))
		}
	}
	return comment.Plain(b.String())
}
