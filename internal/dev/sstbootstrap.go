package dev

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

// SST 1 and 2 ask an account for a stack SSTBootstrap, which they make once: a bucket for what their
// consoles and custom resources note down, and where it is, in parameters (1.x) or outputs (2.x). Of its
// further parts, one empties the bucket when the stack is deleted and one tells SST's console of
// deployments by EventBridge; neither is needed here, and what the second is made of is not supported.
// So an account without the stack gets one of the needed parts, in the form that the app's SST looks for.
const (
	sstStack     = "SSTBootstrap"
	sstBootstrap = "What SST apps need in an account, made by gatehouse"
)

// sstForms are the files in which SST names the form of the stack that it wants, with the form of the last
// release of each line.
var sstForms = []struct{ pkg, file, form string }{
	{"@serverless-stack/core", "dist/bootstrap/index.js", "3"},
	{"sst", "bootstrap.js", "7.4"},
}

var latestVersion = regexp.MustCompile(`\bLATEST_VERSION = "([0-9.]+)"`)

// bootstrapSST makes the stack, unless one is there that SST made itself.
func (a *App) bootstrapSST(ctx context.Context, d *Deployer) error {
	forms := make([]string, len(sstForms))
	for i, f := range sstForms {
		forms[i] = f.form
		if dir := a.upwards(filepath.Join("node_modules", filepath.FromSlash(f.pkg))); dir != "" {
			if text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.file))); err == nil {
				if m := latestVersion.FindSubmatch(text); m != nil {
					forms[i] = string(m[1])
				}
			}
		}
	}
	info, err := d.Describe(ctx, sstStack)
	switch {
	case errors.Is(err, ErrNoStack):
	case err != nil:
		return err
	case info.Description != sstBootstrap && strings.HasSuffix(info.Status, "_COMPLETE") && info.Status != "ROLLBACK_COMPLETE":
		return nil // SST's own
	}
	parameter := func(name string, value any) map[string]any {
		return map[string]any{"Type": "AWS::SSM::Parameter", "Properties": map[string]any{"Type": "String", "Name": "/sst/bootstrap/" + name, "Value": value}}
	}
	ref := map[string]string{"Ref": "Bucket"}
	body, err := json.Marshal(map[string]any{
		"Description": sstBootstrap,
		"Resources": map[string]any{
			"Bucket": map[string]any{"Type": "AWS::S3::Bucket"}, "Version": parameter("version", forms[0]),
			"StackName": parameter("stack-name", sstStack), "BucketName": parameter("bucket-name", ref),
		},
		"Outputs": map[string]any{"Version": map[string]any{"Value": forms[1]}, "BucketName": map[string]any{"Value": ref}},
	})
	if err != nil {
		return err
	}
	quiet := &Deployer{Client: d.Client}
	_, _, err = quiet.Deploy(ctx, &Stack{Name: sstStack, cloud: &cloudStack{Stack: &assembly.Stack{Name: sstStack, Account: d.Client.Account, Region: d.Client.Region, Body: body}}}, nil, nil)
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == "AlreadyExistsException" {
		return nil // another deployment made it just now
	}
	return err
}
