package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
)

// executionLog is what happens to a request, step by step: the log of a test, or of a method whose stage settings ask
// for one, which goes to the group API-Gateway-Execution-Logs_API/STAGE. It never holds a token or a key.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
type executionLog struct {
	lines []string
	data  bool // bodies and headers too
}

// maxNote bounds a line, in bytes.
const maxNote = 10 << 10

// note adds a line; it does nothing for requests without a log.
func (x *restExchange) note(format string, args ...any) {
	if x.notes == nil {
		return
	}
	line := fmt.Sprintf(format, args...)
	for _, name := range secretHeaders {
		for _, v := range x.r.Header[name] {
			if len(v) > 3 {
				line = strings.ReplaceAll(line, v, "***")
			}
		}
	}
	if len(line) > maxNote {
		line = strings.ToValidUTF8(line[:maxNote], "") + " [TRUNCATED]"
	}
	x.notes.lines = append(x.notes.lines, line)
}

// noteData is note for what is logged only if the stage's data trace is on.
func (x *restExchange) noteData(format string, args ...any) {
	if x.notes != nil && x.notes.data {
		x.note(format, args...)
	}
}

var secretHeaders = []string{"Authorization", "Cookie", "X-Api-Key", "X-Amz-Security-Token"}

// headerText writes headers as Java prints maps.
func headerText(h http.Header) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(h)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + "=")
		if slices.Contains(secretHeaders, name) {
			b.WriteString("***")
		} else {
			b.WriteString(strings.Join(h[name], ","))
		}
	}
	return b.String() + "}"
}

// noteRequest notes what has come.
func (x *restExchange) noteRequest() {
	x.note("Starting execution for request: %s", x.id)
	x.note("HTTP Method: %s, Resource Path: %s", x.r.Method, x.method.Resource.Path)
	if !x.notes.data {
		return
	}
	p := x.parameters()
	var path, query []string
	for _, f := range p.path {
		path = append(path, f.name+"="+f.value)
	}
	for _, q := range p.query {
		query = append(query, q.name+"="+strings.Join(q.values, ","))
	}
	x.note("Method request path: {%s}", strings.Join(path, ", "))
	x.note("Method request query string: {%s}", strings.Join(query, ", "))
	x.note("Method request headers: %s", headerText(x.r.Header))
}

// noteEnd notes how it went.
func (x *restExchange) noteEnd() {
	switch {
	case x.errType == v1.GatewayResponseTypeIntegrationTimeout:
		x.note("Execution failed due to a timeout error")
	case x.integrationError != "" && x.errType != "":
		x.note("Execution failed due to configuration error: %s", x.integrationError)
	case x.trace != nil:
		for _, s := range x.trace.Steps {
			if !s.OK {
				x.note("Execution failed: %s", strings.TrimSpace(s.Detail+" "+s.Got))
			}
		}
	}
	x.noteData("Method response headers: %s", headerText(x.w.Header()))
	if x.errType == "" {
		x.note("Successfully completed execution")
	}
	x.note("Method completed with status: %d", x.status)
}

// testLog is the log of a test.
func (x *restExchange) testLog() string {
	var b strings.Builder
	b.WriteString("Execution log for request " + x.id + "\n")
	at := x.g.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
	for _, line := range x.notes.lines {
		b.WriteString(at + " : " + line + "\n")
	}
	return b.String()
}

// logExecution writes the log of a request: at level ERROR only of those that failed.
func (x *restExchange) logExecution() {
	x.noteEnd()
	if x.method.Settings.Logging == "ERROR" && x.errType == "" && x.status < 500 {
		return
	}
	sum := sha256.Sum256([]byte(x.api.ID + "/" + x.api.Stage))
	group, stream := "API-Gateway-Execution-Logs_"+x.api.ID+"/"+x.api.Stage, hex.EncodeToString(sum[:16])
	for _, line := range x.notes.lines {
		x.g.AccessLog.Write(x.api.Region, group, stream, x.start, []byte("("+x.id+") "+line))
	}
}
