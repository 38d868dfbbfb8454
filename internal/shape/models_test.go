package shape_test

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/google/go-cmp/cmp"
)

var models = []struct {
	m          *shape.Model
	operations int
}{
	{&apigateway.Model, 124}, {&apigatewayv2.Model, 103}, {&cloudformation.Model, 92}, {&cognitoidentity.Model, 23},
	{&cognitoidp.Model, 140}, {&iam.Model, 180}, {&lambda.Model, 88}, {&logs.Model, 118}, {&s3.Model, 112},
	{&ssm.Model, 154}, {&sts.Model, 11},
}

var unimplemented = map[*shape.Model]any{
	&apigateway.Model: apigateway.Unimplemented{}, &apigatewayv2.Model: apigatewayv2.Unimplemented{},
	&cloudformation.Model: cloudformation.Unimplemented{}, &cognitoidentity.Model: cognitoidentity.Unimplemented{},
	&cognitoidp.Model: cognitoidp.Unimplemented{}, &iam.Model: iam.Unimplemented{}, &lambda.Model: lambda.Unimplemented{},
	&logs.Model: logs.Unimplemented{}, &s3.Model: s3.Unimplemented{}, &ssm.Model: ssm.Unimplemented{}, &sts.Model: sts.Unimplemented{},
}

// Each table agrees with the Go types beside it, and each operation can be called.
func TestTables(t *testing.T) {
	for _, tc := range models {
		m := tc.m
		t.Run(m.ID, func(t *testing.T) {
			if len(m.Operations) != tc.operations {
				t.Errorf("%d operations, want %d", len(m.Operations), tc.operations)
			}
			for i := range m.Shapes {
				if i > 0 && m.Ref(m.Shapes[i].Name) != shape.Ref(i) {
					t.Errorf("shape %d %s is not found by its name", i, m.Shapes[i].Name)
				}
			}
			for i := range m.Operations {
				op := &m.Operations[i]
				if m.Operation(op.Name) != op {
					t.Errorf("%s is not found by its name", op.Name)
				}
				agree(t, m, op.Input, reflect.TypeOf(op.New()).Elem(), map[shape.Ref]bool{})
				out, err := op.Call(t.Context(), unimplemented[m], op.New())
				if e, ok := err.(*shape.Error); !ok || e.Status != 501 || !strings.Contains(e.Message, op.Name) {
					t.Errorf("%s: %v", op.Name, err)
				}
				agree(t, m, op.Output, reflect.TypeOf(out).Elem(), map[shape.Ref]bool{})
				for _, code := range op.Errors {
					if m.Error(code) == nil {
						t.Errorf("%s: no error %s", op.Name, code)
					}
				}
				for label := range labels(op.Path) {
					if !hasLabel(m.At(op.Input), label) {
						t.Errorf("%s: no member for {%s}", op.Name, label)
					}
				}
			}
		})
	}
}

func labels(path string) map[string]bool {
	out := map[string]bool{}
	for _, part := range strings.Split(path, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		out[strings.TrimSuffix(name, "+")] = true
	}
	return out
}

func hasLabel(s *shape.Shape, label string) bool {
	for _, m := range s.Members {
		if m.Location == shape.URI && m.Wire == label {
			return true
		}
	}
	return false
}

func agree(t *testing.T, m *shape.Model, r shape.Ref, typ reflect.Type, seen map[shape.Ref]bool) {
	if seen[r] {
		return
	}
	seen[r] = true
	s := m.At(r)
	fail := func() { t.Errorf("%s: Go has %s", s.Name, typ) }
	switch s.Kind {
	case shape.Structure, shape.Union:
		n := typ.NumField()
		if n == len(s.Members)+1 && typ.Field(n-1).Type == reflect.TypeFor[shape.Absent]() {
			n--
		}
		if n != len(s.Members) {
			fail()
			return
		}
		for i, mem := range s.Members {
			f := typ.Field(i)
			if !strings.EqualFold(f.Name, mem.Name) {
				t.Errorf("%s: field %d is %s, member is %s", s.Name, i, f.Name, mem.Name)
			}
			if k := m.At(mem.Shape).Kind; mem.Required && k <= shape.Timestamp && i >= 64 {
				t.Errorf("%s.%s is beyond what Absent holds", s.Name, mem.Name)
			}
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			agree(t, m, mem.Shape, ft, seen)
		}
	case shape.List:
		if typ.Kind() != reflect.Slice {
			fail()
			return
		}
		agree(t, m, s.Elem, typ.Elem(), seen)
	case shape.Map:
		if typ.Kind() != reflect.Map {
			fail()
			return
		}
		agree(t, m, s.Elem, typ.Elem(), seen)
	default:
		want := map[shape.Kind]reflect.Type{
			shape.String: reflect.TypeFor[string](), shape.Boolean: reflect.TypeFor[bool](), shape.Integer: reflect.TypeFor[int64](),
			shape.Long: reflect.TypeFor[int64](), shape.Float: reflect.TypeFor[float64](), shape.Double: reflect.TypeFor[float64](),
			shape.Timestamp: reflect.TypeFor[time.Time](), shape.Blob: reflect.TypeFor[[]byte](), shape.Document: reflect.TypeFor[any](),
		}[s.Kind]
		if s.Streaming {
			want = reflect.TypeFor[io.ReadCloser]()
		}
		if typ != want {
			fail()
		}
	}
}

// A value of every shape survives JSON and the plain form.
func TestRoundTrips(t *testing.T) {
	n := 0
	for _, tc := range models {
		for i := range tc.m.Operations {
			op := &tc.m.Operations[i]
			out, _ := op.Call(t.Context(), unimplemented[tc.m], op.New())
			for _, side := range []struct {
				ref shape.Ref
				typ reflect.Type
			}{{op.Input, reflect.TypeOf(op.New()).Elem()}, {op.Output, reflect.TypeOf(out).Elem()}} {
				n++
				for _, body := range []bool{true, false} {
					v := reflect.New(side.typ)
					sample(tc.m, tc.m.At(side.ref), v.Elem(), 0, body)
					again := reflect.New(side.typ)
					name := fmt.Sprintf("%s %s", tc.m.ID, tc.m.At(side.ref).Name)
					if body {
						data, err := shape.EncodeJSON(tc.m, side.ref, v.Interface())
						if err != nil {
							t.Fatal(name, err)
						}
						if !json.Valid(data) {
							t.Fatalf("%s: %s", name, data)
						}
						if err := shape.DecodeJSON(tc.m, side.ref, data, again.Interface()); err != nil {
							t.Fatalf("%s: %v in %s", name, err, data)
						}
					} else if err := shape.FromMap(tc.m, side.ref, shape.ToMap(tc.m, side.ref, v.Interface()), again.Interface()); err != nil {
						t.Fatal(name, err)
					}
					if d := cmp.Diff(v.Interface(), again.Interface(), cmp.Comparer(func(a, b shape.Absent) bool { return true })); d != "" {
						t.Errorf("%s (body %v): %s", name, body, d)
					}
				}
			}
		}
	}
	t.Logf("%d structures", n)
}

// sample fills in v with something of its shape; body leaves out what does not travel in the body.
func sample(m *shape.Model, s *shape.Shape, v reflect.Value, depth int, body bool) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.Kind {
	case shape.String:
		v.SetString("é\"\\\n<x> " + s.Name)
	case shape.Boolean:
		v.SetBool(true)
	case shape.Integer, shape.Long:
		v.SetInt(-42)
	case shape.Float, shape.Double:
		v.SetFloat(0.25)
	case shape.Timestamp:
		v.Set(reflect.ValueOf(time.UnixMilli(1795237857123).UTC()))
		if s.TimeFormat == "http-date" {
			v.Set(reflect.ValueOf(time.Unix(1795237857, 0).UTC()))
		}
	case shape.Blob:
		v.SetBytes([]byte{0, 1, 255})
	case shape.Document:
		v.Set(reflect.ValueOf(map[string]any{"a": []any{json.Number("1"), "x", nil, true}}))
	case shape.List:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		if depth < 6 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			sample(m, m.At(s.Elem), v.Index(0), depth+1, body)
			sample(m, m.At(s.Elem), v.Index(1), depth+1, body)
		}
	case shape.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		sample(m, m.At(s.Elem), e, depth+1, body)
		v.SetMapIndex(reflect.ValueOf("key.1"), e)
	default:
		for i, mem := range s.Members {
			ms := m.At(mem.Shape)
			deep := depth > 6 && (ms.Kind == shape.Structure || ms.Kind == shape.Union)
			if ms.Kind == shape.Blob && ms.Streaming || deep || body && mem.Location != shape.Body {
				continue
			}
			sample(m, ms, v.Field(i), depth+1, body)
		}
	}
}

// Every pattern of every model can be decided; strings that AWS's documentation gives as examples pass.
func TestPatterns(t *testing.T) {
	n := 0
	for _, tc := range models {
		for i := range tc.m.Shapes {
			if l := tc.m.Shapes[i].Limits; l != nil && l.Pattern != "" {
				n++
				l.Matches("x")
			}
		}
	}
	t.Logf("%d patterns", n)
	for _, tc := range []struct {
		m     *shape.Model
		shape string
		good  []string
		bad   []string
	}{
		{&cognitoidp.Model, "UserPoolIdType", []string{"us-east-1_QLBISRQwA"}, []string{"us-east-1", "x us-east-1_a", "us-east-1_a\n"}},
		{&cognitoidp.Model, "S3BucketType", []string{"my-bucket", "a.b"}, []string{"a.", "a/b"}},
		{&iam.Model, "accountAliasType", []string{"my-company", "abc"}, []string{"a--b", "-ab", "ab-", "ab", "Abc"}},
		{&iam.Model, "pathType", []string{"/", "/division_abc/"}, []string{"x", "/x", "/a b/"}},
		{&lambda.Model, "Alias", []string{"prod", "v1"}, []string{"1", "12", "a b", ""}},
		{&lambda.Model, "FunctionUrlQualifier", []string{"$LATEST", "a"}, []string{"$X", "1"}},
		{&ssm.Model, "MetadataKey", []string{"a b"}, []string{"", "  ", "a\nb"}},
		{&ssm.Model, "StringDateTime", nil, nil},
	} {
		s := tc.m.At(tc.m.Ref(tc.shape))
		if s.Limits == nil {
			t.Logf("%s has no pattern", tc.shape)
			continue
		}
		for _, x := range tc.good {
			if !s.Limits.Matches(x) {
				t.Errorf("%s refuses %q", tc.shape, x)
			}
		}
		for _, x := range tc.bad {
			if s.Limits.Matches(x) {
				t.Errorf("%s takes %q", tc.shape, x)
			}
		}
	}
}

// Whatever the bytes: DecodeJSON takes only what is JSON, does not panic, and what it takes can be
// written and read again.
func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(adminCreateUser))
	f.Add([]byte(`{"UserAttributes":[{"Name":"a","Value":"\u00e9"},{}],"ClientMetadata":{"a":"b"},"x":[1.5e3,null,{"y":[]}]}`))
	f.Add([]byte(`{"Username":"\ud83d\ude00","ForceAliasCreation":"yes"}`))
	m := &cognitoidp.Model
	op := m.Operation("AdminCreateUser")
	f.Fuzz(func(t *testing.T, data []byte) {
		in := op.New()
		if err := shape.DecodeJSON(m, op.Input, data, in); err != nil {
			if _, ok := err.(*shape.Error); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q is not JSON", data)
		}
		_ = shape.Validate(m, op.Input, in)
		out, err := shape.EncodeJSON(m, op.Input, in)
		if err != nil {
			t.Fatal(err)
		}
		again := op.New()
		if err := shape.DecodeJSON(m, op.Input, out, again); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if d := cmp.Diff(in, again); d != "" {
			t.Fatal(d)
		}
	})
}
