package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// FileName is the name of the key file in the data directory. It holds the key in base64, so that
// its text can be given to another node as a setting.
const FileName = "seal.key"

// Load returns the key in dir, making one if there is none. The directory must exist. A new key is on
// the disk, under its name, when Load returns; of several processes that make one at the same time, one
// wins and all return its key. A key file that others than its owner may read is refused.
func Load(dir string) (*Key, error) {
	path := filepath.Join(dir, FileName)
	k, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("seal: making %s: %w", path, err)
	}
	return read(path)
}

// Parse returns the key that text holds in base64, with or without padding and surrounding space.
func Parse(text string) (*Key, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("seal: the key is not base64") // the cause would quote it
	}
	if len(b) != KeySize {
		return nil, fmt.Errorf("seal: the key is %d bytes long, must be %d", len(b), KeySize)
	}
	return FromBytes(b)
}

func read(path string) (*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("seal: %s is not a regular file", path)
	}
	// Windows has no such bits: there the directory's access list decides.
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("seal: %s may be read by others (mode %04o): run chmod 600 %s", path, perm, path)
	}
	var buf [256]byte
	n, _ := f.Read(buf[:])
	k, err := Parse(string(buf[:n]))
	if err != nil {
		return nil, fmt.Errorf("%w (in %s; restore it from a backup, without it what was sealed is lost)", err, path)
	}
	return k, nil
}

// create writes a new key under a temporary name and links it to path, which fails if path exists:
// a crash at any moment leaves a whole key file or none.
func create(path string) (err error) {
	key := make([]byte, KeySize)
	rand.Read(key)
	f, err := os.OpenFile(path+"."+rand.Text(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be opened for syncing there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
