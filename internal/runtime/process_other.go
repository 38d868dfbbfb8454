//go:build unix && !linux

package runtime

import "syscall"

// sysProcAttr: a group of its own. Without PDEATHSIG, functions end with the server because their
// link to it closes.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func limitProcess(int) {}

// awaitExit has no portable form that leaves the process to be reaped.
func awaitExit(int) bool { return false }

// memory is not known here: limits of memory are not enforced, and REPORT lines say 0 MB.
func memory(int) (resident, unshared int64, ok bool) { return 0, 0, false }
