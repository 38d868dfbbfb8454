package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
)

// shm is Linux's memory file system. Where it is absent or small, the system's temporary
// directory has to do: nothing is ever synced to it, and Close removes it.
const shm = "/dev/shm"

// memoryDir makes a directory for a database that is to leave nothing behind.
func memoryDir() (string, error) {
	base := ""
	if room(shm) >= 256<<20 {
		base = shm
	}
	dir, err := os.MkdirTemp(base, "gatehouse-memory-")
	if err != nil && base != "" {
		base = ""
		dir, err = os.MkdirTemp("", "gatehouse-memory-")
	}
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	sweep(filepath.Dir(dir), dir)
	return dir, nil
}

// sweep removes the directories of processes that were killed: those whose lock nobody holds.
func sweep(base, own string) {
	dirs, _ := filepath.Glob(filepath.Join(base, "gatehouse-memory-*"))
	for _, dir := range dirs {
		path := filepath.Join(dir, "gatehouse.db")
		if _, err := os.Stat(path); dir == own || err != nil {
			continue // ours, somebody else's, or only being made
		}
		if lock, err := lockFile(path); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}

func lockedError(path, holder string) error {
	if holder == "" {
		holder = "unknown"
	}
	return fmt.Errorf("store: the database %s is in use by process %s; a file serves one process at a time (several nodes need PostgreSQL)", path, holder)
}
