package wire_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/query"
	"github.com/gatehouse-dev/gatehouse/internal/wire/shapexml"
)

// filler makes values of generated types. It keeps to what survives a round trip: no streams, times to
// the millisecond, no structure nested beyond depth.
type filler struct {
	m   *shape.Model
	rnd *rand.Rand
}

const alphabet = "abcXYZ019 -_./:&<>\"'=+%é\n\t\r"

func (f *filler) fill(r shape.Ref, v reflect.Value, depth int) {
	sh := f.m.At(r)
	if v.Kind() == reflect.Pointer {
		if depth <= 0 || f.rnd.IntN(3) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch sh.Kind {
	case shape.String:
		b := []rune(alphabet)
		var s strings.Builder
		for range 1 + f.rnd.IntN(8) {
			s.WriteRune(b[f.rnd.IntN(len(b))])
		}
		v.SetString(s.String())
	case shape.Boolean:
		v.SetBool(f.rnd.IntN(2) == 0)
	case shape.Integer:
		v.SetInt(int64(f.rnd.Int32()) - 1<<30)
	case shape.Long:
		v.SetInt(f.rnd.Int64() - 1<<62)
	case shape.Float, shape.Double:
		v.SetFloat(f.rnd.NormFloat64())
	case shape.Timestamp:
		at := time.UnixMilli(f.rnd.Int64N(4e12)).UTC()
		if sh.TimeFormat == proto.HTTPDate {
			at = at.Truncate(time.Second)
		}
		v.Set(reflect.ValueOf(at))
	case shape.Blob:
		if !sh.Streaming {
			v.SetBytes([]byte(strconv.Itoa(f.rnd.Int())))
		}
	case shape.List:
		if f.rnd.IntN(3) == 0 || depth <= 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1+f.rnd.IntN(2), 2))
		for i := range v.Len() {
			f.fill(sh.Elem, v.Index(i), depth-1)
			if hollow(v.Index(i)) { // leaves no trace in a form
				v.SetZero()
				return
			}
		}
	case shape.Map:
		if f.rnd.IntN(3) == 0 || depth <= 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 1 + f.rnd.IntN(2) {
			e := reflect.New(v.Type().Elem()).Elem()
			f.fill(sh.Elem, e, depth-1)
			v.SetMapIndex(reflect.ValueOf("k&"+strconv.Itoa(i)), e)
		}
	case shape.Structure, shape.Union:
		for i := range sh.Members {
			f.fill(sh.Members[i].Shape, v.Field(i), depth-1)
		}
	}
}

var sameValue = cmp.Options{cmpopts.IgnoreTypes(shape.Absent(0)), cmp.FilterValues(func(a, b float64) bool { return true }, cmp.Comparer(func(a, b float64) bool { return a == b }))}

// TestXMLRoundTrip writes values of all XML bodies of S3's inputs and reads them back.
func TestXMLRoundTrip(t *testing.T) {
	m := &s3.Model
	f := &filler{m: m, rnd: rand.New(rand.NewPCG(1, 2))}
	count := 0
	for i := range m.Operations {
		op := &m.Operations[i]
		in := m.At(op.Input)
		p := proto.PayloadMember(in)
		if p < 0 || m.At(in.Members[p].Shape).Kind != shape.Structure {
			continue
		}
		count++
		for range 20 {
			want := reflect.New(reflect.TypeOf(op.New()).Elem().Field(p).Type.Elem())
			f.fill(in.Members[p].Shape, want.Elem(), 6)
			text := shapexml.AppendValue(nil, m, in.Members[p].Shape, "Root", want)
			got := reflect.New(want.Type().Elem())
			if err := shapexml.Decode(m, in.Members[p].Shape, text, got.Elem()); err != nil {
				t.Fatalf("%s: %v\n%s", op.Name, err, text)
			}
			if diff := cmp.Diff(want.Interface(), got.Interface(), sameValue); diff != "" {
				t.Fatalf("%s: (-want +got)\n%s\n%s", op.Name, diff, text)
			}
		}
	}
	t.Logf("%d bodies", count)
}

// form writes a value as a client of the Query protocol does.
func form(m *shape.Model, r shape.Ref, v reflect.Value, name string, out url.Values) {
	sh := m.At(r)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	join := func(s string) string { return strings.TrimPrefix(name+"."+s, ".") }
	switch sh.Kind {
	case shape.Structure, shape.Union:
		for i := range sh.Members {
			form(m, sh.Members[i].Shape, v.Field(i), join(sh.Members[i].Wire), out)
		}
	case shape.List:
		if v.IsNil() {
			return
		}
		prefix := join("member.")
		if sh.ElemName != "" {
			prefix = join(sh.ElemName + ".")
		}
		if sh.Flat {
			prefix = name + "."
		}
		if v.Len() == 0 {
			out.Set(name, "")
		}
		for i := range v.Len() {
			form(m, sh.Elem, v.Index(i), prefix+strconv.Itoa(i+1), out)
		}
	case shape.Map:
		n := 0
		for it := v.MapRange(); it.Next(); {
			n++
			prefix := join("entry." + strconv.Itoa(n))
			out.Set(prefix+".key", it.Key().String())
			form(m, sh.Elem, it.Value(), prefix+".value", out)
		}
	default:
		if sh.Kind == shape.Blob && v.IsNil() {
			return
		}
		out.Set(name, string(proto.AppendScalar(nil, sh, v, proto.DateTime)))
	}
}

// TestQueryRoundTrip decodes forms of all inputs of the Query services.
func TestQueryRoundTrip(t *testing.T) {
	count := 0
	for _, m := range []*shape.Model{&cloudformation.Model, &iam.Model, &sts.Model} {
		f := &filler{m: m, rnd: rand.New(rand.NewPCG(3, 4))}
		for i := range m.Operations {
			op := &m.Operations[i]
			count++
			for range 10 {
				want := op.New()
				f.fill(op.Input, reflect.ValueOf(want).Elem(), 6)
				values := url.Values{}
				form(m, op.Input, reflect.ValueOf(want), "", values)
				params, err := proto.ParseForm(values.Encode())
				if err != nil {
					t.Fatal(err)
				}
				got := op.New()
				if err := (query.Codec{}).Decode(m, op, &proto.Request{Form: params}, got); err != nil {
					t.Fatalf("%s: %v\n%s", op.Name, err, values.Encode())
				}
				// A structure all of whose members are absent leaves no trace in a form.
				if diff := cmp.Diff(want, got, sameValue, cmp.FilterPath(func(p cmp.Path) bool { return true }, cmp.FilterValues(emptyStructs, cmp.Ignore()))); diff != "" {
					t.Fatalf("%s: (-want +got)\n%s\n%s", op.Name, diff, values.Encode())
				}
			}
		}
	}
	t.Logf("%d inputs", count)
}

// emptyStructs tells whether of two values one is nil and the other holds nothing but absent members.
func emptyStructs(a, b any) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if !va.IsValid() || !vb.IsValid() || va.Type() != vb.Type() {
		return false
	}
	return hollow(va) && hollow(vb)
}

func hollow(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return v.Type().Elem().Kind() == reflect.Struct && v.Type() != reflect.TypeFor[*time.Time]() && (v.IsNil() || hollow(v.Elem()))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && f.Type() != reflect.TypeFor[shape.Absent]() && !hollow(f) {
				return false
			}
		}
		return true
	case reflect.Slice:
		for i := range v.Len() {
			if !hollow(v.Index(i)) {
				return false
			}
		}
		return true
	}
	return false
}

func FuzzQuery(f *testing.F) {
	f.Add("Action=CreateStack&Version=2010-05-15&StackName=x&Parameters.member.1.ParameterKey=A&Tags=&Capabilities.member.1=CAPABILITY_IAM")
	f.Add("RollbackConfiguration.RollbackTriggers.member.2.Arn=a&RollbackConfiguration.MonitoringTimeInMinutes=3")
	f.Add("Tags.member.999999999.Key=a&Tags.member.-1.Key=b&Tags.member..Key=c&a.b.c.d.e.f=%41&&=&.")
	m := &cloudformation.Model
	op := m.Operation("CreateStack")
	f.Fuzz(func(t *testing.T, text string) {
		params, err := proto.ParseForm(text)
		if err != nil {
			return
		}
		in := op.New()
		if err := (query.Codec{}).Decode(m, op, &proto.Request{Form: params}, in); err != nil {
			return
		}
		// What was understood is understood again when it is written out.
		values := url.Values{}
		form(m, op.Input, reflect.ValueOf(in), "", values)
		again := op.New()
		params, err = proto.ParseForm(values.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := (query.Codec{}).Decode(m, op, &proto.Request{Form: params}, again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, again, sameValue, cmp.FilterValues(emptyStructs, cmp.Ignore())); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}

func FuzzXML(f *testing.F) {
	f.Add(`<Delete><Object><Key>a&amp;b</Key><VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>`)
	f.Add(`<a xmlns:x="y"><Object x:Key="1"><![CDATA[c]]></Object><!-- d --><?pi e?></a>`)
	f.Add(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`)
	f.Add(strings.Repeat("<Object>", 100))
	m := &s3.Model
	ref := m.Ref("Delete")
	f.Fuzz(func(t *testing.T, text string) {
		var in s3.Delete
		if shapexml.Decode(m, ref, []byte(text), reflect.ValueOf(&in).Elem()) != nil {
			return
		}
		out := shapexml.AppendValue(nil, m, ref, "Delete", reflect.ValueOf(&in))
		var again s3.Delete
		if err := shapexml.Decode(m, ref, out, reflect.ValueOf(&again).Elem()); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if diff := cmp.Diff(in, again, sameValue, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}

// FuzzMatch gives the server requests of any form: it neither panics nor answers with a 5xx but where
// it says that an operation is not built.
func FuzzMatch(f *testing.F) {
	f.Add("GET", "/one/a?acl", "s3.amazonaws.com", "AWS4-HMAC-SHA256 Credential=A/20261121/r/s3/aws4_request", "", "")
	f.Add("POST", "/", "127.0.0.1:4566", "", "AWSCognitoIdentityProviderService.SignUp", `{"ClientId":"x"}`)
	f.Add("POST", "/?Action=x&Version=2011-06-15", "sts.amazonaws.com", "", "", "Action=GetCallerIdentity")
	f.Add("PUT", "/2015-03-31/functions/%2f%zz/code", "[::1]:80", "AWS4-HMAC-SHA256 Credential=A/20261121/r/lambda/aws4_request", "", "{}")
	s := wire.NewServer(wire.Options{Services: unimplemented(), Auth: anyone{}})
	f.Fuzz(func(t *testing.T, method, target, host, auth, jsonTarget, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || method == "" {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}, ContentLength: int64(len(body)),
			Body: http.NoBody, RemoteAddr: "192.0.2.1:1234"}
		if body != "" {
			r.Body = httptest.NewRequest("POST", "/", strings.NewReader(body)).Body
		}
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Target", jsonTarget)
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if jsonTarget != "" {
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 501 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
