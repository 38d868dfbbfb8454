package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type entry struct {
	name string
	mode fs.FileMode
	data string
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExtract(t *testing.T) {
	const link = fs.ModeSymlink | 0o777
	lying := archive(t, entry{"a", 0o644, strings.Repeat("a", 1000)})
	// A header that declares less than there is: the central directory's size field.
	i := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[i+24:], 10)
	// And one that declares 300 MB.
	bomb := archive(t, entry{"a", 0o644, "a"})
	binary.LittleEndian.PutUint32(bomb[bytes.LastIndex(bomb, []byte("PK\x01\x02"))+24:], 300<<20)

	for _, tt := range []struct {
		name  string
		zip   []byte
		files string // "name:mode" of what must be there
		err   error
	}{
		{"files", archive(t, entry{"a/b.js", 0o644, "x"}, entry{"bootstrap", 0o755, "x"}, entry{"d/", 0o755 | fs.ModeDir, ""}), "a/b.js:-r--r--r-- bootstrap:-r-xr-xr-x d:drwxr-xr-x", nil},
		{"link inside", archive(t, entry{"a/l", link, "../b/c"}, entry{"b/c", 0o644, "x"}), "a/l:Lrwxrwxrwx b/c:-r--r--r--", nil},
		{"not a zip", []byte("hello"), "", ErrNotZip},
		{"empty", nil, "", ErrNotZip},
		{"parent", archive(t, entry{"../a", 0o644, "x"}), "", ErrUnsafe},
		{"parent within", archive(t, entry{"a/../../b", 0o644, "x"}), "", ErrUnsafe},
		{"absolute", archive(t, entry{"/etc/x", 0o644, "x"}), "", ErrUnsafe},
		{"backslash", archive(t, entry{`..\a`, 0o644, "x"}), "", ErrUnsafe},
		{"link out", archive(t, entry{"l", link, "../x"}), "", ErrUnsafe},
		{"link absolute", archive(t, entry{"l", link, "/etc"}), "", ErrUnsafe},
		{"link up behind a link", archive(t, entry{"d/e/l", link, "../.."}, entry{"m", link, "d/e/l/../.."}), "", ErrUnsafe},
		{"link below a link", archive(t, entry{"d/e/p", link, "../.."}, entry{"d/e/p/x", link, "../y"}), "", ErrUnsafe},
		{"file below a link", archive(t, entry{"l", link, "d"}, entry{"l/x", 0o644, "x"}), "", ErrUnsafe},
		{"device", archive(t, entry{"dev", fs.ModeDevice | 0o600, ""}), "", ErrUnsafe},
		{"twice", archive(t, entry{"a", 0o644, "x"}, entry{"a", 0o644, "y"}), "", ErrUnsafe},
		{"bomb", bomb, "", ErrTooLarge},
		{"declares less", lying, "", ErrNotZip},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			dir := filepath.Join(base, "code", "abc")
			err := Extract(tt.zip, dir)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			for want := range strings.FieldsSeq(tt.files) {
				name, mode, _ := strings.Cut(want, ":")
				st, err := os.Lstat(filepath.Join(dir, name))
				if err != nil || st.Mode().String() != mode {
					t.Errorf("%s: %v %v, want mode %s", name, st, err, mode)
				}
			}
			left, _ := filepath.Glob(filepath.Join(base, "code", ".extract-*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Stat(dir); (err == nil) != (tt.err == nil) {
				t.Errorf("the directory is there: %v", err == nil)
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add(archive(f, entry{"a/b", 0o644, "x"}, entry{"l", fs.ModeSymlink | 0o777, "a/b"}))
	f.Add(archive(f, entry{"../a", 0o644, "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		inner := filepath.Join(base, "in", "side", "dir")
		err := Extract(data, inner)
		// Whatever it was, nothing stands outside of the directory.
		filepath.WalkDir(base, func(p string, d fs.DirEntry, _ error) error {
			rel, _ := filepath.Rel(base, p)
			if !strings.HasPrefix(rel, filepath.Join("in", "side")) && rel != "." && rel != "in" {
				t.Errorf("outside: %s", rel)
			}
			if d.Type()&fs.ModeSymlink != 0 {
				if real, err := filepath.EvalSymlinks(p); err == nil && !strings.HasPrefix(real, inner) {
					t.Errorf("%s leads to %s", rel, real)
				}
			}
			return nil
		})
		if _, serr := os.Stat(inner); (serr == nil) != (err == nil) {
			t.Errorf("half an extraction: %v", err)
		}
	})
}
