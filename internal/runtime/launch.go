package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reserved are the variables that Lambda sets itself; a function's configuration cannot.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// Reserved says whether name is an environment variable that a function's configuration must not set.
func Reserved(name string) bool { return slices.Contains(reserved, name) }

// family is how a runtime is run.
type family int

const (
	familyBinary family = iota // the HTTP Runtime API
	familyNode
	familyPython
)

// familyOf names the family of a runtime identifier, or says why there is none.
func familyOf(runtime string) (family, *Error) {
	switch {
	case runtime == "provided", runtime == "provided.al2", runtime == "provided.al2023", runtime == "go1.x":
		return familyBinary, nil
	case version(runtime, "nodejs", ".x") >= 14:
		return familyNode, nil
	case strings.HasPrefix(runtime, "nodejs"):
		return 0, unusable("The runtime %q is not supported by Gatehouse: Node.js functions need nodejs14.x or newer.", runtime)
	case version(runtime, "python3.", "") >= 8:
		return familyPython, nil
	case strings.HasPrefix(runtime, "python"):
		return 0, unusable("The runtime %q is not supported by Gatehouse: Python functions need python3.8 or newer.", runtime)
	case strings.HasPrefix(runtime, "java"):
		return 0, unusable("The runtime %q is not supported by Gatehouse. A Java function runs as a provided.al2023 function whose package holds a bootstrap, with a JDK on this machine or as a native image.", runtime)
	case strings.HasPrefix(runtime, "dotnet"):
		return 0, unusable("The runtime %q is not supported by Gatehouse. A .NET function runs as a provided.al2023 function, published self-contained or with native AOT as an executable called bootstrap.", runtime)
	case strings.HasPrefix(runtime, "ruby"):
		return 0, unusable("The runtime %q is not supported by Gatehouse. A Ruby function runs as a provided.al2023 function whose package holds a bootstrap that starts ruby with a Runtime API client.", runtime)
	case runtime == "":
		return 0, unusable("The function has no runtime: container images are not supported by Gatehouse.")
	}
	return 0, unusable("The runtime %q is not known.", runtime)
}

// Supported returns nil if functions of that runtime can run here in principle, else an *Error that
// names what would be needed. It does not look for interpreters on the machine.
func Supported(runtime string) error {
	if _, err := familyOf(runtime); err != nil {
		return err
	}
	return nil
}

// version reads the number between prefix and suffix, or returns -1.
func version(runtime, prefix, suffix string) int {
	v, ok := strings.CutPrefix(runtime, prefix)
	if !ok {
		return -1
	}
	v, ok = strings.CutSuffix(v, suffix)
	if !ok {
		return -1
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// baseEnv is what every process gets: nothing of the server's own environment.
func (m *Manager) baseEnv(f family, interpreter string) map[string]string {
	env := map[string]string{
		"LANG": "en_US.UTF-8",
		"TZ":   "UTC",
		"PATH": "/usr/local/bin:/usr/bin:/bin",
	}
	if interpreter != "" {
		if dir := filepath.Dir(interpreter); !slices.Contains(strings.Split(env["PATH"], ":"), dir) {
			env["PATH"] = dir + ":" + env["PATH"]
		}
	}
	for _, kv := range slices.Concat(m.o.Env, m.surroundings[f]) {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

// environ is the whole environment of a function's process.
func (m *Manager) environ(f family, s *Spec, interpreter, stream, tmp string, credentials map[string]string) map[string]string {
	env := m.baseEnv(f, interpreter)
	env["AWS_XRAY_CONTEXT_MISSING"] = "LOG_ERROR"
	env["HOME"], env["TMPDIR"] = tmp, tmp
	common := env["NODE_OPTIONS"]
	maps.Copy(env, s.Env)
	if own := s.Env["NODE_OPTIONS"]; own != "" && common != "" {
		env["NODE_OPTIONS"] = common + " " + own
	}
	for _, k := range reserved {
		delete(env, k)
	}
	for k, v := range map[string]string{
		"_HANDLER":                        s.Handler,
		"AWS_REGION":                      s.Region,
		"AWS_DEFAULT_REGION":              s.Region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_" + s.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME":        s.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     s.version(),
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(s.memoryMB()),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       s.logGroup(),
		"AWS_LAMBDA_LOG_STREAM_NAME":      stream,
		"LAMBDA_TASK_ROOT":                s.CodeDir,
		"LAMBDA_RUNTIME_DIR":              m.runtimeDir,
	} {
		env[k] = v
	}
	maps.Copy(env, credentials)
	return env
}

func envList(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		if k != "" && !strings.ContainsAny(k, "=\x00") && !strings.Contains(v, "\x00") {
			list = append(list, k+"="+v)
		}
	}
	slices.Sort(list)
	return list
}

// startsPlain says whether a process that was started before its function was known can become
// that function's: not so if its own variables matter to the interpreter or the loader at start.
func startsPlain(own map[string]string) bool {
	for k, v := range own {
		if k == "NODE_OPTIONS" && strings.TrimSpace(v) == "--enable-source-maps" {
			continue // the bootstrap can turn it on later
		}
		if k == "NODE_PATH" || k == "PYTHONPATH" {
			continue // so can these be set
		}
		for _, p := range [...]string{"NODE_", "PYTHON", "LD_", "DYLD_", "UV_", "OPENSSL_", "SSL_", "MALLOC_", "GLIBC_", "LC_"} {
			if strings.HasPrefix(k, p) {
				return false
			}
		}
		if k == "LANG" {
			return false
		}
	}
	return true
}

// binaryCommand finds the executable of a compiled or custom runtime. The error's text is what
// Lambda says in its Runtime.InvalidEntrypoint.
func binaryPath(s *Spec) (path string, problem string) {
	candidates := []string{"bootstrap"}
	if s.Runtime == "go1.x" && s.Handler != "" && filepath.IsLocal(s.Handler) {
		candidates = []string{s.Handler, "bootstrap"}
	}
	var names []string
	for _, c := range candidates {
		p := filepath.Join(s.CodeDir, c)
		names = append(names, "/var/task/"+c)
		st, err := os.Stat(p)
		switch {
		case err != nil:
			continue
		case st.IsDir():
			continue
		case st.Mode()&0o111 == 0:
			return "", "fork/exec /var/task/" + c + ": permission denied"
		}
		return p, ""
	}
	return "", "Couldn't find valid bootstrap(s): [" + strings.Join(names, " ") + "]"
}

// cacheDir is where the interpreter of one function's code may keep compiled code.
func (m *Manager) cacheDir(s *Spec) string {
	sum := sha256.Sum256([]byte(s.ARN + "\x00" + s.Version + "\x00" + s.CodeDir))
	return filepath.Join(m.dir, "cache", hex.EncodeToString(sum[:12]))
}
