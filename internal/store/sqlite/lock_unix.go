//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// lockFile takes the lock of the database at path for this process. The kernel drops it when the
// process ends, however it ends. The file stays: removing it would let two processes each hold
// "the" lock.
func lockFile(path string) (io.Closer, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("store: locking %s: %w", name, err)
		}
		b, _ := io.ReadAll(io.LimitReader(f, 64))
		return nil, lockedError(path, strings.TrimSpace(string(b)))
	}
	// Only for people to read; so an error here does not matter.
	f.Truncate(0)
	fmt.Fprintf(f, "%d\n", os.Getpid())
	return f, nil
}
