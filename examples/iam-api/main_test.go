package main

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/app"
)

// The private route takes signed requests, and guests may call nothing.
func TestStack(t *testing.T) {
	tmpl, err := app.Synth("iam-api", "dev", Stack)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"ApiGetPrivate": "AWS_IAM", "ApiGetPublic": "NONE"} {
		props, _ := tmpl.Resource(id)["Properties"].(map[string]any)
		if got := props["AuthorizationType"]; got != want {
			t.Errorf("%s has authorization type %v, want %s", id, got, want)
		}
	}
	if tmpl.Resource("IdentityPoolUsersPolicy") == nil {
		t.Error("signed-in users may call nothing")
	}
	if p := tmpl.Resource("IdentityPoolGuestsPolicy"); p != nil {
		t.Errorf("guests may do something: %v", p)
	}
}
