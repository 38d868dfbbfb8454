// Package restxml is the codec of REST XML, S3's protocol: as REST JSON, with XML bodies.
//
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
package restxml

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/rest"
	"github.com/gatehouse-dev/gatehouse/internal/wire/shapexml"
)

const prolog = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// Codec translates REST XML.
type Codec struct{}

// roots gives the names of root elements that differ from their shape's name; the tables do not
// carry them. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var roots = map[string]string{
	"CompleteMultipartUploadOutput":                    "CompleteMultipartUploadResult",
	"CreateMultipartUploadOutput":                      "InitiateMultipartUploadResult",
	"CreateSessionOutput":                              "CreateSessionResult",
	"DeleteObjectsOutput":                              "DeleteResult",
	"GetBucketAccelerateConfigurationOutput":           "AccelerateConfiguration",
	"GetBucketAclOutput":                               "AccessControlPolicy",
	"GetBucketCorsOutput":                              "CORSConfiguration",
	"GetBucketLifecycleConfigurationOutput":            "LifecycleConfiguration",
	"GetBucketLocationOutput":                          "LocationConstraint",
	"GetBucketLoggingOutput":                           "BucketLoggingStatus",
	"GetBucketRequestPaymentOutput":                    "RequestPaymentConfiguration",
	"GetBucketTaggingOutput":                           "Tagging",
	"GetBucketVersioningOutput":                        "VersioningConfiguration",
	"GetBucketWebsiteOutput":                           "WebsiteConfiguration",
	"GetObjectAclOutput":                               "AccessControlPolicy",
	"GetObjectAttributesOutput":                        "GetObjectAttributesResponse",
	"GetObjectTaggingOutput":                           "Tagging",
	"ListBucketAnalyticsConfigurationsOutput":          "ListBucketAnalyticsConfigurationResult",
	"ListBucketIntelligentTieringConfigurationsOutput": "ListBucketIntelligentTieringConfigurationsOutput",
	"ListBucketInventoryConfigurationsOutput":          "ListInventoryConfigurationsResult",
	"ListBucketMetricsConfigurationsOutput":            "ListMetricsConfigurationsResult",
	"ListBucketsOutput":                                "ListAllMyBucketsResult",
	"ListDirectoryBucketsOutput":                       "ListAllMyDirectoryBucketsResult",
	"ListMultipartUploadsOutput":                       "ListMultipartUploadsResult",
	"ListObjectVersionsOutput":                         "ListVersionsResult",
	"ListObjectsOutput":                                "ListBucketResult",
	"ListObjectsV2Output":                              "ListBucketResult",
	"ListPartsOutput":                                  "ListPartsResult",
}

// Decode fills in, a pointer to op's input.
func (Codec) Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in any) error {
	v, ok := proto.Struct(in)
	if !ok {
		return nil
	}
	sh := m.At(op.Input)
	shape.MarkAbsent(m, sh, v, 0)
	if i := proto.PayloadMember(sh); i >= 0 {
		if err := payload(m, sh.Members[i].Shape, r, v.Field(i)); err != nil {
			return err
		}
	} else if len(r.Body) > 0 && proto.HasBody(sh) {
		if err := shapexml.Decode(m, op.Input, r.Body, v); err != nil {
			return malformedXML()
		}
	}
	return rest.Decode(m, op, r, v)
}

func malformedXML() error {
	return shape.Errorf("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
}

func payload(m *shape.Model, ref shape.Ref, r *proto.Request, dst reflect.Value) error {
	sh := m.At(ref)
	switch {
	case sh.Streaming:
		if r.Stream != nil {
			dst.Set(reflect.ValueOf(r.Stream))
		}
		return nil
	case len(r.Body) == 0:
		return nil
	case sh.Kind == shape.Blob:
		dst.SetBytes(r.Body)
		return nil
	case sh.Kind == shape.String:
		return proto.SetScalar(sh, dst, string(r.Body))
	}
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	if err := shapexml.Decode(m, ref, r.Body, dst); err != nil {
		return malformedXML()
	}
	return nil
}

// Encode writes out, a pointer to op's output.
func (Codec) Encode(m *shape.Model, op *shape.Operation, out any, _ string, w *proto.Response) error {
	w.Status = op.Status
	if w.Status == 0 {
		w.Status = 200
	}
	v, ok := proto.Struct(out)
	if !ok {
		return nil
	}
	sh := m.At(op.Output)
	if i := proto.PayloadMember(sh); i >= 0 {
		encodePayload(m, &sh.Members[i], v.Field(i), w)
	} else if proto.HasBody(sh) {
		b := []byte(prolog)
		if op.Name == "GetBucketLocation" {
			b = location(b, m, sh, v)
		} else {
			name := sh.Name
			if root := roots[name]; root != "" {
				name = root
			}
			b = shapexml.Open(b, name, m.XMLNamespace)
			b = shapexml.AppendMembers(b, m, op.Output, v)
			b = shapexml.Close(b, name)
		}
		w.Body = b
		w.SetHeader("Content-Type", "application/xml")
	}
	rest.Encode(m, sh, v, w)
	if w.Status == 200 && len(w.Header["Content-Range"]) > 0 {
		w.Status = 206 // RFC 9110, section 15.3.7; the model only knows 200
	}
	return nil
}

// location writes the one output that is not wrapped: its only member is the root element itself.
// https://smithy.io/2.0/aws/customizations/s3-customizations.html#aws-customizations-s3unwrappedxmloutput-trait
func location(b []byte, m *shape.Model, sh *shape.Shape, v reflect.Value) []byte {
	text := ""
	for i := range sh.Members {
		if f := reflect.Indirect(v.Field(i)); f.IsValid() && f.Kind() == reflect.String {
			text = f.String()
		}
	}
	b = shapexml.Open(b, "LocationConstraint", m.XMLNamespace)
	return shapexml.Close(shapexml.AppendText(b, text, false), "LocationConstraint")
}

func encodePayload(m *shape.Model, mem *shape.Member, v reflect.Value, w *proto.Response) {
	sh := m.At(mem.Shape)
	switch {
	case sh.Streaming:
		w.Stream = proto.Reader(v)
	case sh.Kind == shape.Blob:
		w.Body = v.Bytes()
	case sh.Kind == shape.String:
		if v = reflect.Indirect(v); v.IsValid() {
			w.Body = []byte(v.String())
		}
	default:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return
		}
		name := mem.Wire
		b := []byte(prolog)
		ns := m.XMLNamespace
		if m.At(mem.Shape).XMLNamespace != "" {
			ns = "" // AppendValue writes it
		}
		body := shapexml.AppendValue(nil, m, mem.Shape, name, v)
		if ns != "" { // the root declares the namespace of the whole
			body = append(shapexml.Open(nil, name, ns), strings.TrimPrefix(string(body), "<"+name+">")...)
		}
		w.Body = append(b, body...)
		w.SetHeader("Content-Type", "application/xml")
	}
}

// Error writes e as S3 does:
//
//	<Error><Code>NoSuchKey</Code><Message>…</Message><Key>…</Key><RequestId>…</RequestId><HostId>…</HostId></Error>
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses
func (Codec) Error(_ *shape.Model, _ *shape.Operation, e *shape.Error, requestID, resource string, w *proto.Response) {
	w.Status = e.Status
	if e.Status == 304 {
		return
	}
	w.SetHeader("Content-Type", "application/xml")
	b := append([]byte(prolog), "<Error>"...)
	b = shapexml.Element(b, "Code", e.Code)
	b = shapexml.Element(b, "Message", e.Message)
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		b = shapexml.Element(b, name, fmt.Sprint(e.Fields[name]))
	}
	if e.Fields["Resource"] == nil && resource != "" {
		b = shapexml.Element(b, "Resource", resource)
	}
	b = shapexml.Element(b, "RequestId", requestID)
	b = shapexml.Element(b, "HostId", requestID)
	w.Body = append(b, "</Error>"...)
}
