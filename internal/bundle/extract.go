package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Extract unpacks a deployment package to dir, all of it or nothing: it unpacks beside dir and
// renames. A dir that exists is taken for the same package, unpacked before, so its name should come
// from the package's hash. Files become read-only; those that may be executed in the archive stay so.
//
// An empty package.json is put beside dir, unless there is one, so that Node.js does not take the
// module system of the function from a project around the data directory.
//
// The error wraps [ErrNotZip], [ErrTooLarge] or [ErrUnsafe] for what is wrong with the archive.
func Extract(archive []byte, dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	if err := barrier(parent); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, ".extract-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := extractTo(archive, tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if st, serr := os.Stat(dir); serr == nil && st.IsDir() {
			return nil // somebody else was faster
		}
		return err
	}
	return nil
}

func barrier(parent string) error {
	f, err := os.OpenFile(filepath.Join(parent, "package.json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString("{}\n")
	return errors.Join(err, f.Close())
}

func extractTo(archive []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are looked at below
		return fmt.Errorf("%w: %v", ErrNotZip, err)
	}
	if len(z.File) > maxEntries {
		return fmt.Errorf("%w: %d entries", ErrTooLarge, len(z.File))
	}
	var declared uint64
	for _, f := range z.File {
		if declared += f.UncompressedSize64; declared > MaxUnzipped || f.UncompressedSize64 > MaxUnzipped {
			return ErrTooLarge
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(MaxUnzipped)
	var links []*zip.File
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, "/")
		if strings.Contains(name, "\\") || strings.Contains(name, "\x00") || !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%w: %q", ErrUnsafe, f.Name)
		}
		mode := f.Mode()
		switch {
		case strings.HasSuffix(f.Name, "/") || mode.IsDir():
			if err := root.MkdirAll(name, 0o755); err != nil {
				return entryError(f, err)
			}
		case mode&fs.ModeSymlink != 0:
			links = append(links, f) // made last, so that nothing is written through them
		case mode.Type() != 0:
			return fmt.Errorf("%w: %q is a special file", ErrUnsafe, f.Name)
		default:
			n, err := extractFile(root, f, name, left)
			if err != nil {
				return err
			}
			left -= n
		}
	}
	for _, f := range links {
		if err := extractLink(root, f); err != nil {
			return err
		}
	}
	return nil
}

func extractFile(root *os.Root, f *zip.File, name string, left int64) (int64, error) {
	if parent := filepath.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return 0, entryError(f, err)
		}
	}
	r, err := f.Open()
	if err != nil {
		return 0, fmt.Errorf("%w: %q: %v", ErrNotZip, f.Name, err)
	}
	defer r.Close()
	mode := fs.FileMode(0o444)
	if f.Mode()&0o111 != 0 {
		mode = 0o555
	}
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return 0, entryError(f, err)
	}
	n, err := io.Copy(w, io.LimitReader(r, left+1))
	cerr := w.Close()
	switch {
	case n > left:
		return n, ErrTooLarge
	case err != nil && isZipError(err):
		return n, fmt.Errorf("%w: %q: %v", ErrNotZip, f.Name, err)
	case err != nil:
		return n, err
	}
	return n, cerr
}

func isZipError(err error) bool {
	var pe *fs.PathError
	return !errors.As(err, &pe) // what is not the file system's fault is the archive's
}

func extractLink(root *os.Root, f *zip.File) error {
	if f.UncompressedSize64 > 4096 {
		return fmt.Errorf("%w: %q: the link's target is too long", ErrUnsafe, f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %v", ErrNotZip, f.Name, err)
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, 4097))
	if err != nil {
		return fmt.Errorf("%w: %q: %v", ErrNotZip, f.Name, err)
	}
	if !linkStays(f.Name, string(target)) {
		return fmt.Errorf("%w: the link %q leads to %q", ErrUnsafe, f.Name, target)
	}
	if parent := filepath.Dir(f.Name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return entryError(f, err)
		}
		for p := parent; p != "."; p = filepath.Dir(p) {
			if st, err := root.Lstat(p); err != nil || !st.IsDir() {
				return fmt.Errorf("%w: %q is below a link", ErrUnsafe, f.Name)
			}
		}
	}
	if err := root.Symlink(string(target), f.Name); err != nil {
		return entryError(f, err)
	}
	return nil
}

// entryError: a name that is there already, or whose parent is a file, is the archive's fault.
func entryError(f *zip.File, err error) error {
	return fmt.Errorf("%w: %q: %v", ErrUnsafe, f.Name, err)
}
