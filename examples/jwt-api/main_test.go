package main

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/app"
)

// The private route takes tokens of the user pool; the public one is open.
func TestStack(t *testing.T) {
	for _, stage := range []string{"dev", "prod"} {
		tmpl, err := app.Synth("jwt-api", stage, Stack)
		if err != nil {
			t.Fatal(err)
		}
		if want := stage + "-jwt-api"; tmpl.StackName != want {
			t.Errorf("stack %s, want %s", tmpl.StackName, want)
		}
		for id, want := range map[string]string{"ApiGetPrivate": "JWT", "ApiGetPublic": "NONE"} {
			props, _ := tmpl.Resource(id)["Properties"].(map[string]any)
			if got := props["AuthorizationType"]; got != want {
				t.Errorf("%s has authorization type %v, want %s", id, got, want)
			}
		}
	}
}
