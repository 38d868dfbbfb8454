package runtime

import (
	"fmt"
	"os"
	goruntime "runtime"
	"sync"
	"syscall"
	"time"
)

// A command says how to start one process of an execution environment.
type command struct {
	path string   // absolute path of the executable
	argv []string // argv[0] included
	env  []string // the whole environment
	dir  string   // working directory; empty: /
	link *os.File // becomes descriptor 3; nil for none. The caller closes it.
	out  *os.File // becomes descriptors 1 and 2. The caller closes it.
}

// A process is a running child, leader of its own process group.
type process struct {
	pid  int
	proc *os.Process

	mu     sync.Mutex
	reaped bool

	exited chan struct{} // closed once the process has been reaped
	state  *os.ProcessState
}

// A starter starts processes from one operating system thread that lives as long as it does.
// Linux kills a child with PDEATHSIG when the thread that made it ends, and Go ends threads.
type starter struct {
	requests chan startRequest
	null     *os.File
}

type startRequest struct {
	cmd   *command
	reply chan startReply
}

type startReply struct {
	proc *process
	err  error
}

func newStarter() (*starter, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	s := &starter{requests: make(chan startRequest), null: null}
	go func() {
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.requests {
			p, err := startProcess(r.cmd, s.null)
			r.reply <- startReply{p, err}
		}
		null.Close()
	}()
	return s, nil
}

func (s *starter) start(c *command) (*process, error) {
	reply := make(chan startReply, 1)
	s.requests <- startRequest{c, reply}
	r := <-reply
	return r.proc, r.err
}

func (s *starter) close() { close(s.requests) }

// startProcess is the one place where processes of functions begin.
func startProcess(c *command, stdin *os.File) (*process, error) {
	files := []*os.File{stdin, c.out, c.out}
	if c.link != nil {
		files = append(files, c.link)
	}
	dir := c.dir
	if dir == "" {
		dir = "/"
	}
	proc, err := os.StartProcess(c.path, c.argv, &os.ProcAttr{
		Dir:   dir,
		Env:   c.env,
		Files: files,
		Sys:   sysProcAttr(),
	})
	if err != nil {
		return nil, err
	}
	limitProcess(proc.Pid)
	p := &process{pid: proc.Pid, proc: proc, exited: make(chan struct{})}
	go p.wait()
	return p, nil
}

// wait reaps the process and kills the rest of its group: where the system can tell of an exit
// without reaping, while the group's id is certainly still its own.
func (p *process) wait() {
	if awaitExit(p.pid) {
		p.mu.Lock()
		killGroup(p.pid)
		p.state, _ = p.proc.Wait()
	} else {
		st, _ := p.proc.Wait()
		p.mu.Lock()
		killGroup(p.pid)
		p.state = st
	}
	p.reaped = true
	p.mu.Unlock()
	close(p.exited)
}

// kill ends the process and its group at once. It does not wait.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.pid)
		p.proc.Kill()
	}
}

// exitReason is how Lambda words the end of a process, for use after exited is closed.
func (p *process) exitReason() string {
	st := p.state
	if st == nil || st.Success() {
		return "Runtime exited without providing a reason"
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		text := "Runtime exited with error: signal: " + ws.Signal().String()
		if ws.CoreDump() {
			text += " (core dumped)"
		}
		return text
	}
	return fmt.Sprintf("Runtime exited with error: exit status %d", st.ExitCode())
}

// awaitGone waits until the process is reaped, for a bounded time.
func (p *process) awaitGone(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// outputPipe makes the pipe for a child's output: r is non-blocking for Go's poller, w is a plain
// blocking descriptor, as programs expect of their standard output.
func outputPipe() (r, w *os.File, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	if err = syscall.Pipe(p[:]); err == nil {
		syscall.CloseOnExec(p[0])
		syscall.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	return parentChild(p)
}

// socketPair makes the link for frames; the two ends are as in outputPipe.
func socketPair() (parent, child *os.File, err error) {
	syscall.ForkLock.RLock()
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(p[0])
		syscall.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return parentChild(p)
}

func parentChild(p [2]int) (parent, child *os.File, err error) {
	if err := syscall.SetNonblock(p[0], true); err != nil {
		syscall.Close(p[0])
		syscall.Close(p[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(p[0]), "parent"), os.NewFile(uintptr(p[1]), "child"), nil
}
