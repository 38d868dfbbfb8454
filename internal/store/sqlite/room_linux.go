package sqlite

import "syscall"

// room returns the free bytes of the file system at dir, 0 if there is none.
func room(dir string) uint64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0
	}
	return st.Bavail * uint64(st.Bsize)
}
