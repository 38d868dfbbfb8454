package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// MaxUnzipped is the size in bytes of everything in a deployment package, unpacked: Lambda's quota
// of 250 MB.
const MaxUnzipped = 262144000

const maxEntries = 200_000

var (
	// ErrNotZip: the bytes are no ZIP archive, or a damaged one.
	ErrNotZip = errors.New("bundle: not a ZIP archive")
	// ErrTooLarge: the archive unpacks to more than MaxUnzipped.
	ErrTooLarge = fmt.Errorf("bundle: unzipped size must be smaller than %d bytes", MaxUnzipped)
	// ErrUnsafe: an entry would leave the directory, or is neither file, directory nor link.
	ErrUnsafe = errors.New("bundle: unsafe entry in the archive")
)

// epoch is the time of every entry: the first that ZIP can say.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// A zipWriter collects files and writes them in one order, with one time.
type zipWriter struct {
	entries []zipEntry
	size    int64
}

type zipEntry struct {
	name string
	mode fs.FileMode
	data []byte
}

func (w *zipWriter) add(name string, mode fs.FileMode, data []byte) {
	w.entries = append(w.entries, zipEntry{name, mode, data})
	w.size += int64(len(data))
}

func (w *zipWriter) bytes(compress bool) ([]byte, error) {
	if w.size > MaxUnzipped {
		return nil, complain("", "the package has %d bytes unzipped, and Lambda's limit is %d", w.size, MaxUnzipped)
	}
	slices.SortFunc(w.entries, func(a, b zipEntry) int { return strings.Compare(a.name, b.name) })
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestSpeed)
	})
	for i, e := range w.entries {
		if i > 0 && w.entries[i-1].name == e.name {
			return nil, complain(e.name, "two files of the package have this name")
		}
		h := &zip.FileHeader{Name: e.name, Method: zip.Store, Modified: epoch}
		if compress && e.mode&fs.ModeSymlink == 0 {
			h.Method = zip.Deflate
		}
		h.SetMode(e.mode)
		f, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

type verdict bool

const (
	keep verdict = true
	skip verdict = false
)

// neverPacked are names that no function needs and that would change from one build to the next.
var neverPacked = []string{".git", ".gatehouse", "__pycache__", ".DS_Store"}

// walk adds what is below dir to w. Links stay links; they may not lead out of dir.
func walk(root, dir string, w *zipWriter, choose func(rel string, d fs.DirEntry) verdict, rename func(rel string) string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return complain(display(root, p), "%v", err)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if rel == "." {
			return nil
		}
		rel = filepath.ToSlash(rel)
		if slices.Contains(neverPacked, d.Name()) || choose != nil && choose(rel, d) == skip {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		name := rel
		if rename != nil {
			name = rename(rel)
		}
		switch {
		case d.IsDir():
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return complain(display(root, p), "%v", err)
			}
			if !linkStays(rel, target) {
				return complain(display(root, p), "the link leads out of the package: %s", target)
			}
			w.add(name, fs.ModeSymlink|0o777, []byte(target))
			return nil
		case !d.Type().IsRegular():
			return complain(display(root, p), "not a file that can be packed")
		}
		info, err := d.Info()
		if err != nil {
			return complain(display(root, p), "%v", err)
		}
		if w.size+info.Size() > MaxUnzipped {
			return complain(display(root, dir), "the package has more than %d bytes unzipped, which is Lambda's limit", MaxUnzipped)
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return complain(display(root, p), "%v", err)
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o111 != 0 || name == "bootstrap" {
			mode = 0o755
		}
		w.add(name, mode, data)
		return nil
	})
}

// linkStays says whether a link called name, with that target, leads to within the archive. A target
// may go up only at its beginning: after another link, up would mean something else.
func linkStays(name, target string) bool {
	target = filepath.ToSlash(target)
	if target == "" || path.IsAbs(target) || filepath.IsAbs(target) || strings.ContainsAny(target, "\\\x00") {
		return false
	}
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "..":
			if down {
				return false
			}
		case "", ".":
		default:
			down = true
		}
	}
	return filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), target)))
}

func packDir(s Source, dir string) (*Package, error) {
	var w zipWriter
	inputs := []string{dir}
	err := walk(s.Root, dir, &w, func(rel string, d fs.DirEntry) verdict {
		if d.IsDir() && !strings.Contains("/"+rel+"/", "/node_modules/") {
			inputs = append(inputs, filepath.Join(dir, filepath.FromSlash(rel)))
		}
		return keep
	}, nil)
	if err != nil {
		return nil, err
	}
	if len(w.entries) == 0 {
		return nil, complain(display(s.Root, dir), "the directory is empty")
	}
	z, err := w.bytes(!s.Dev)
	if err != nil {
		return nil, err
	}
	return &Package{Zip: z, Handler: s.Handler, Inputs: inputs}, nil
}

func packFile(s Source, file string) (*Package, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, complain(display(s.Root, file), "%v", err)
	}
	name := filepath.Base(file)
	mode := fs.FileMode(0o644)
	if st, err := os.Stat(file); err == nil && st.Mode()&0o111 != 0 || compiled(s.Runtime) {
		mode = 0o755
	}
	if compiled(s.Runtime) {
		name = "bootstrap"
	}
	var w zipWriter
	w.add(name, mode, data)
	z, err := w.bytes(!s.Dev)
	if err != nil {
		return nil, err
	}
	return &Package{Zip: z, Handler: s.Handler, Inputs: []string{file}}, nil
}

func packZip(s Source, file string) (*Package, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, complain(display(s.Root, file), "%v", err)
	}
	if _, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, complain(display(s.Root, file), "not a ZIP archive: %v", err)
	}
	return &Package{Zip: data, Handler: s.Handler, Inputs: []string{file}}, nil
}
