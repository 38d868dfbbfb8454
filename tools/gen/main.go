// Gen writes the packages under internal/api from models/*.json: the Go types of a service's shapes,
// its enums and errors, its Handler interface, and the flat tables that internal/shape and
// internal/wire walk. It is pure Go, needs no network and writes the same bytes for the same models.
//
//	go run -C tools ./gen            write
//	go run -C tools ./gen -check     write nothing, fail if something would change
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

func main() {
	root := flag.String("root", "..", "directory of the main module")
	check := flag.Bool("check", false, "compare with the committed files instead of writing them")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := generate(filepath.Join(root, "models"))
	if err != nil {
		return err
	}
	api := filepath.Join(root, "internal", "api")
	stale, err := filepath.Glob(filepath.Join(api, "*", "*_gen.go"))
	if err != nil {
		return err
	}
	for _, name := range stale {
		rel, _ := filepath.Rel(api, name)
		if _, ok := files[filepath.ToSlash(rel)]; ok {
			continue
		}
		if check {
			return fmt.Errorf("%s is no longer generated", name)
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, rel := range names {
		name := filepath.Join(api, filepath.FromSlash(rel))
		old, _ := os.ReadFile(name)
		if bytes.Equal(old, files[rel]) {
			continue
		}
		if check {
			return fmt.Errorf("%s is not what models/ gives; run go generate ./internal/api", name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, files[rel], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the contents of all generated files by their path under internal/api.
func generate(dir string) (map[string][]byte, error) {
	models, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, name := range models {
		switch filepath.Base(name) {
		case "overlay.json", "resources.json": // not models of services
			continue
		}
		p, err := load(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, f := range []struct {
			name string
			emit func() string
		}{
			{"types_gen.go", p.types},
			{"enums_gen.go", p.enums},
			{"errors_gen.go", p.errors},
			{"handler_gen.go", p.handler},
			{"tables_gen.go", p.tables},
		} {
			src, err := gofmt(f.emit())
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", p.model.Package, f.name, err)
			}
			out[p.model.Package+"/"+f.name] = src
		}
	}
	return out, nil
}
