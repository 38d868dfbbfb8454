//go:build unix

package runtime

import (
	"os"
	"syscall"
)

func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

// lockFile takes an exclusive lock on path, which lasts until the file is closed or the process
// ends. ok is false when somebody else holds it.
func lockFile(path string) (f *os.File, ok bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, false, nil
	}
	return f, true, nil
}

// readNow reads what is there. again says that nothing is, yet.
func readNow(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		}
		return n, false, err
	}
}
