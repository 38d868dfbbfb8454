package functions

import (
	"archive/zip"
	"bytes"
	"context"
	"embed"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Resources returns the CloudFormation types that the service makes.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		{
			Name: "AWS::Lambda::Function", Handler: functionResource{s},
			Properties: []string{"Architectures", "Code", "DeadLetterConfig", "Description", "Environment", "EphemeralStorage", "FileSystemConfigs", "FunctionName",
				"Handler", "ImageConfig", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType", "ReservedConcurrentExecutions", "Role", "Runtime",
				"SnapStart", "Tags", "Timeout", "TracingConfig", "VpcConfig"},
		},
		{Name: "AWS::Lambda::Permission", Handler: permissionResource{s}},
		{Name: "AWS::Lambda::Url", Handler: urlResource{s}},
	}
}

type functionResource struct{ s *Service }

// desired is what a resource's properties ask for.
type desired struct {
	draft
	props  map[string]any // of Code
	source source
}

// read takes the properties of a function apart, and refuses what the API would.
func (h functionResource) read(ctx context.Context, r *resource.Request) (*desired, error) {
	in := new(lambda.CreateFunctionRequest)
	props := resource.With(map[string]any{"FunctionName": r.PhysicalName(64, false)}, r.Props)
	if r.PhysicalID != "" {
		props["FunctionName"] = r.PhysicalID
	}
	props["Code"] = map[string]any{} // which has forms of its own in templates
	rename := map[string]string{"ReservedConcurrentExecutions": "", "KmsKeyArn": "KMSKeyArn"}
	if err := resource.Fill(&lambda.Model, in, props, rename); err != nil {
		return nil, err
	}
	n, err := h.s.named(wire.CallFrom(ctx), in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	d := &desired{draft: draft{name: n.plain(), token: r.Token}}
	if d.tags, err = r.AllTags("Tags"); err != nil {
		return nil, err
	}
	if err := checkTags(d.tags); err != nil {
		return nil, err
	}
	if d.config, err = h.s.configOf(in); err != nil {
		return nil, err
	}
	if v, ok := r.Props["ReservedConcurrentExecutions"]; ok {
		put := new(lambda.PutFunctionConcurrencyRequest)
		if err := resource.Input(ctx, &lambda.Model, put, map[string]any{"ReservedConcurrentExecutions": v, "FunctionName": in.FunctionName}, nil); err != nil {
			return nil, err
		}
		d.reserved = &put.ReservedConcurrentExecutions
	}
	d.props, _ = r.Props["Code"].(map[string]any)
	code := new(lambda.FunctionCode)
	if err := resource.Input(ctx, &lambda.Model, code, d.props, map[string]string{"ZipFile": ""}); err != nil {
		return nil, err
	}
	if text, ok := d.props["ZipFile"].(string); ok {
		if code.ZipFile, err = inline(d.config.Runtime, text); err != nil {
			return nil, err
		}
	}
	if in.Code = code; r.PhysicalID == "" {
		err = resource.Authorize(ctx, &lambda.Model, in)
	} else {
		err = mayUpdate(ctx, r, d.name, in)
	}
	if err != nil {
		return nil, err
	}
	d.source, err = sourceOf(code.ZipFile, code.S3Bucket, code.S3Key, code.S3ObjectVersion, code.ImageUri, code.S3ObjectStorageMode, code.SourceKMSKeyArn)
	return d, err
}

// mayUpdate asks about what an update of a function is in calls of the API.
func mayUpdate(ctx context.Context, r *resource.Request, n name, in *lambda.CreateFunctionRequest) error {
	calls := []any{&lambda.UpdateFunctionConfigurationRequest{FunctionName: in.FunctionName, Role: &in.Role, Layers: in.Layers, VpcConfig: in.VpcConfig}}
	if c := in.Code; !resource.Equal(r.OldProps["Code"], r.Props["Code"]) || c.ZipFile != nil {
		calls = append(calls, &lambda.UpdateFunctionCodeRequest{FunctionName: in.FunctionName, ZipFile: c.ZipFile, S3Bucket: c.S3Bucket, S3Key: c.S3Key, S3ObjectVersion: c.S3ObjectVersion, ImageUri: c.ImageUri})
	}
	if r.OldProps["ReservedConcurrentExecutions"] != nil && r.Props["ReservedConcurrentExecutions"] == nil {
		calls = append(calls, &lambda.DeleteFunctionConcurrencyRequest{FunctionName: in.FunctionName})
	}
	if r.Retags("Tags") {
		calls = append(calls, &lambda.TagResourceRequest{Resource: n.arn(), Tags: in.Tags})
	}
	for _, call := range calls {
		if err := resource.Authorize(ctx, &lambda.Model, call); err != nil {
			return err
		}
	}
	return nil
}

// maxInline is the size of source code in a template, in bytes.
const maxInline = 4 << 20

// inlineFiles are the modules that inline code may load to answer for custom resources.
//
//go:embed inline
var inlineFiles embed.FS

// inline packs source code that stands in a template: the file index with the runtime's extension.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
func inline(runtime, text string) ([]byte, error) {
	var file, module, as string
	switch {
	case strings.HasPrefix(runtime, "nodejs"):
		file, module, as = "index.js", "cfn-response.js", "node_modules/cfn-response.js"
	case strings.HasPrefix(runtime, "python"):
		file, module, as = "index.py", "cfnresponse.py", "cfnresponse.py"
	default:
		return nil, invalid("ZipFile can only be used when Runtime is set to either of nodejs or python.")
	}
	if len(text) > maxInline {
		return nil, invalid("ZipFile must be smaller than %d bytes.", maxInline)
	}
	help, err := inlineFiles.ReadFile("inline/" + module)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range []struct {
		name string
		data []byte
	}{{file, []byte(text)}, {as, help}} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return b.Bytes(), err
}

func (h functionResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	d, err := h.read(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	f, err := h.s.get(ctx, d.name)
	switch {
	case err == nil && f.Token != "" && f.Token == r.Token:
		return h.apply(ctx, d, true) // the step is run again after a crash
	case err == nil:
		return resource.Result{}, exists(d.name)
	case !shape.HasCode(err, "ResourceNotFoundException"):
		return resource.Result{}, err
	}
	if err := h.s.checkRole(ctx, d.config.Role); err != nil {
		return resource.Result{}, err
	}
	if d.code, err = h.s.fetch(ctx, d.source); err != nil {
		return resource.Result{}, err
	}
	if _, _, err := h.s.create(ctx, &d.draft); err != nil {
		return resource.Result{}, err
	}
	return result(d.name), nil
}

func result(n name) resource.Result {
	return resource.Result{PhysicalID: n.function, Attrs: map[string]any{"Arn": n.arn()}}
}

func (h functionResource) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	d, err := h.read(ctx, r)
	if err != nil {
		return resource.Result{}, err
	}
	old, _ := r.OldProps["Code"].(map[string]any)
	return h.apply(ctx, d, d.source.zip != nil || !resource.Equal(old, d.props))
}

// apply brings a function that exists to what the properties ask for, in one step.
func (h functionResource) apply(ctx context.Context, d *desired, code bool) (resource.Result, error) {
	f, err := h.s.get(ctx, d.name)
	if err == nil && f.Latest.Role != d.config.Role {
		err = h.s.checkRole(ctx, d.config.Role)
	}
	if err != nil {
		return resource.Result{}, err
	}
	if code {
		if d.code, err = h.s.fetch(ctx, d.source); err != nil {
			return resource.Result{}, err
		}
	}
	_, _, err = h.s.modify(ctx, d.name, d.code, false, func(tx *store.Tx, f *function) error {
		f.Latest.config, f.Tags, f.Reserved = d.config, d.tags, nil
		if d.reserved != nil {
			return h.s.reserve(tx, f, *d.reserved)
		}
		return nil
	})
	return result(d.name), err
}

func (h functionResource) Delete(ctx context.Context, r *resource.Request) error {
	in := &lambda.DeleteFunctionRequest{FunctionName: r.PhysicalID}
	if err := resource.Authorize(ctx, &lambda.Model, in); err != nil {
		return err
	}
	_, err := h.s.DeleteFunction(ctx, in)
	return resource.Gone(err, "ResourceNotFoundException")
}

// permissionResource makes AWS::Lambda::Permission: one statement. All of its properties are
// create-only.
type permissionResource struct{ s *Service }

func (h permissionResource) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	in := new(lambda.AddPermissionRequest)
	props := resource.With(r.Props, map[string]any{"StatementId": r.PhysicalName(100, false)})
	if err := resource.Input(ctx, &lambda.Model, in, props, nil); err != nil {
		return resource.Result{}, err
	}
	_, err := h.s.AddPermission(ctx, in)
	if shape.HasCode(err, "ResourceConflictException") && r.Token != "" {
		err = nil // the step is run again after a crash: the id follows from its token
	}
	if err != nil {
		return resource.Result{}, err
	}
	r.PhysicalID = in.StatementId
	return h.Update(ctx, r)
}

func (h permissionResource) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return resource.Result{PhysicalID: r.PhysicalID, Attrs: map[string]any{"Id": r.PhysicalID}}, nil
}

func (h permissionResource) Delete(ctx context.Context, r *resource.Request) error {
	ref, _ := r.Props["FunctionName"].(string)
	in := &lambda.RemovePermissionRequest{FunctionName: ref, StatementId: r.PhysicalID}
	if err := resource.Authorize(ctx, &lambda.Model, in); err != nil {
		return err
	}
	_, err := h.s.RemovePermission(ctx, in)
	return resource.Gone(err, "ResourceNotFoundException")
}
