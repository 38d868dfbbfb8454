// Resources writes internal/resource/schema_gen.go from models/resources.json, and that file from the
// database of the npm package @aws-cdk/aws-service-spec.
//
//	go run -C tools ./resources                    write schema_gen.go; pure Go, no network
//	go run -C tools ./resources -check             write nothing, fail if something would change
//	npm pack @aws-cdk/aws-service-spec && tar xzf aws-cdk-aws-service-spec-*.tgz
//	go run -C tools ./resources -sync $PWD/package write models/resources.json first
//
// The normal form has one entry for each resource type of the namespaces that Gatehouse serves:
//
//	"AWS::Cognito::UserPoolClient": {
//	  "ref": ["ClientId"],                   what Ref returns, if not the whole identifier
//	  "id": ["UserPoolId", "ClientId"],      primary identifier
//	  "attributes": {"ClientSecret": "string"},
//	  "properties": {"UserPoolId": "string ! ~", …},
//	  "types": {"TokenValidityUnits": {…}}   property types, by name
//	}
//
// A property's text is its type, then its flags. Types: string, integer, number, boolean, timestamp,
// json (a map or text), tag, [T] a list, {T} a map, #Name a property type. Flags: ! required,
// ~ a change replaces the resource, ? a change may replace it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "..", "directory of the main module")
	check := flag.Bool("check", false, "compare with the committed file instead of writing it")
	from := flag.String("sync", "", "directory of the unpacked npm package: write models/resources.json first")
	flag.Parse()
	if err := run(*root, *from, *check); err != nil {
		fmt.Fprintln(os.Stderr, "resources:", err)
		os.Exit(1)
	}
}

func run(root, from string, check bool) error {
	model := filepath.Join(root, "models", "resources.json")
	if from != "" {
		text, err := normalForm(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(model, text, 0o644); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(model)
	if err != nil {
		return err
	}
	code, err := generate(text)
	if err != nil {
		return err
	}
	out := filepath.Join(root, "internal", "resource", "schema_gen.go")
	if check {
		old, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		if !bytes.Equal(old, code) {
			return fmt.Errorf("%s is out of date: go generate ./internal/resource", out)
		}
		return nil
	}
	return os.WriteFile(out, code, 0o644)
}
