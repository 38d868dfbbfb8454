package bundle

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/evanw/esbuild/pkg/cli"
)

// Directory packs a directory as it is: everything in it but what no function needs.
func Directory(ctx context.Context, dir string) (*Package, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := packDir(Source{Root: dir}, dir)
	if err != nil {
		return nil, err
	}
	return finish(p), nil
}

func finish(p *Package) *Package {
	slices.Sort(p.Inputs)
	p.Inputs = slices.Compact(p.Inputs)
	sum := sha256.Sum256(p.Zip)
	p.SHA256 = base64.StdEncoding.EncodeToString(sum[:])
	return p
}

// Replay is a bundle that another tool made with esbuild, to be made again in process.
type Replay struct {
	Args []string // of esbuild's command line
	Root string   // directory that they are relative to
	// Base is the archive of what the tool packed: the bundle is the file At in it, with slashes. Whatever else
	// is there is packed again as it is, but for what the bundle brings anew. Nil: there is nothing else.
	Base []byte
	At   string
}

// Build makes the bundle and packs it. The error is an [*Error] for what is wrong with the sources.
func (r *Replay) Build(ctx context.Context) (*Package, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, err := cli.ParseBuildOptions(r.Args)
	if err != nil {
		return nil, fmt.Errorf("esbuild's options: %w", err)
	}
	o.AbsWorkingDir, o.Write, o.Metafile, o.LogLevel = r.Root, false, true, api.LogLevelSilent
	out := o.Outfile
	if out == "" {
		return nil, fmt.Errorf("esbuild's options name no file to write")
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(r.Root, out)
	}
	result := api.Build(o)
	if len(result.Errors) > 0 {
		e := &Error{}
		for _, m := range result.Errors {
			d := diagnostic(r.Root, m)
			e.Diagnostics = append(e.Diagnostics, d)
			if d.File != "" {
				e.Inputs = append(e.Inputs, filepath.Join(r.Root, filepath.FromSlash(d.File)))
			}
		}
		return nil, e
	}
	fresh := map[string][]byte{}
	for _, f := range result.OutputFiles {
		rel, err := filepath.Rel(filepath.Dir(out), f.Path)
		name := path.Join(path.Dir(r.At), filepath.ToSlash(rel))
		if err != nil || !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("the bundle has a part outside of itself: %s", f.Path)
		}
		fresh[name] = f.Contents
	}
	var all zipWriter
	if r.Base != nil {
		if err := all.addZip(r.Base, func(name string) bool { _, anew := fresh[name]; return !anew }); err != nil {
			return nil, err
		}
	}
	for name, data := range fresh {
		all.add(name, 0o644, data)
	}
	z, err := all.bytes(false)
	if err != nil {
		return nil, err
	}
	p := &Package{Zip: z, Inputs: metaInputs(r.Root, result.Metafile)}
	if len(p.Inputs) > 0 {
		p.Inputs = append(p.Inputs, configs(p.Inputs[0], r.Root)...)
	}
	for _, m := range result.Warnings {
		p.Warnings = append(p.Warnings, diagnostic(r.Root, m))
	}
	return finish(p), nil
}

// addZip adds the files of an archive that keep names.
func (w *zipWriter) addZip(data []byte, keep func(name string) bool) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		if !keep(f.Name) || f.Mode().IsDir() {
			continue
		}
		rc, err := f.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(rc, MaxUnzipped+1-w.size))
		rc.Close()
		if err != nil {
			return err
		}
		w.add(f.Name, f.Mode(), text)
	}
	return nil
}
