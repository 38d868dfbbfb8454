package engine

import (
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/stacks"
)

// answersStack takes what custom resources and wait conditions are answered with, which comes to buckets of
// AWS's own.
func (e *Engine) answersStack(w http.ResponseWriter, r *http.Request) bool {
	if !stacks.TakesAnswers(strings.ToLower(hostOf(r.Host))) {
		return false
	}
	e.stacks.ServeAnswer(w, r)
	return true
}
