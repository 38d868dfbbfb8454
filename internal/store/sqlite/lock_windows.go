package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

const errSharingViolation = syscall.Errno(32)

// lockFile takes the lock of the database at path for this process: a file that nobody else may
// open for writing while we have it open.
func lockFile(path string) (io.Closer, error) {
	name := path + ".lock"
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		b, _ := os.ReadFile(name)
		return nil, lockedError(path, strings.TrimSpace(string(b)))
	}
	if err != nil {
		return nil, fmt.Errorf("store: locking %s: %w", name, err)
	}
	f := os.NewFile(uintptr(h), name)
	f.Truncate(0)
	fmt.Fprintf(f, "%d\n", os.Getpid())
	return f, nil
}
