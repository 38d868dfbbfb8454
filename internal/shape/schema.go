// Package shape is the runtime of the generated API models: the tables that describe a service's
// shapes, and the walkers that bind, validate and write values of the generated Go types.
//
// A generated package internal/api/SERVICE holds one Go struct for each structure of the model and
// one [Model] with flat tables. The walkers go over table and value side by side; there is no
// generated code for an operation or a shape beyond the types.
//
// # Go types of shapes
//
//	string, enum              string     (optional member: *string)
//	boolean                   bool       (*bool)
//	integer, long, short      int64      (*int64)
//	float, double             float64    (*float64)
//	timestamp                 time.Time  (*time.Time)
//	blob                      []byte     (nil is absent); a streaming blob: io.ReadCloser
//	structure, union          *T         (required or not; by value as an element of a list or map)
//	list                      []E        (nil is absent)
//	map                       map[string]E
//	document                  any        (as encoding/json decodes it, numbers as json.Number)
//
// A member that the model marks as required is a plain value, any other scalar a pointer, so that
// absent and zero differ. The i-th field of a generated struct is the i-th entry of Shape.Members.
//
// A required scalar has no room for "the caller left it out". Structures that have one and occur in
// an input therefore end in one more field, Absent, where decoders note it (see [MarkAbsent]); a
// value that was built in Go leaves it zero.
package shape

import "context"

// Kind says what a shape is.
type Kind uint8

const (
	Invalid Kind = iota
	String
	Boolean
	Integer // int64 on the Go side, 32 bits on the wire
	Long
	Float
	Double
	Timestamp
	Blob
	List
	Map
	Structure
	Union // a structure of which exactly one member is set
	Document
)

// Ref is the index of a shape in its model's table. 0 stands for none.
type Ref int32

// Shape is one entry of a model's table; it is never changed after it was generated.
type Shape struct {
	Name    string // the model's name, "AuthFlowType"; lists and maps may have none
	Kind    Kind
	Members []Member // of a structure or union, in the order of the Go fields
	Elem    Ref      // element of a list, value of a map
	Key     Ref      // key of a map

	// How lists and maps are written in XML and Query: names of the elements ("member", "entry",
	// "key", "value" if empty), and whether the enclosing element is left out.
	ElemName, KeyName string
	Flat              bool
	XMLNamespace      string // "uri" or "prefix=uri", declared on the element; empty: none

	// TimeFormat is "epoch-seconds", "date-time" or "http-date"; empty: the protocol's own.
	TimeFormat string
	Enum       []string    // the allowed values of a string; nil: any
	Limits     *Constraint // nil: none
	Sensitive  bool        // never shown in errors or logs
	Streaming  bool        // a blob that is the body itself and is not read into memory
}

// Location says in which part of an HTTP message a member travels.
type Location uint8

const (
	Body         Location = iota
	Header                // one header, Wire is its name
	HeaderPrefix          // a map; Wire is the prefix of the headers' names
	Query                 // a query parameter
	QueryMap              // a map: all query parameters that no other member takes
	URI                   // a label of the path
	Status                // the response's status code
	Payload               // the whole body
)

// Member is one member of a structure.
type Member struct {
	Name     string // the model's name, which is also the name in validation paths ("UserPoolId")
	Wire     string // the name on the wire: JSON key, XML element, Query key, header, label
	Shape    Ref
	Location Location
	Required bool
	XMLAttr  bool // an attribute of the element
}

// Constraint bounds the values of a shape. Min and Max bound a number itself, the characters of a
// string, the bytes of a blob, the entries of a list or map.
type Constraint struct {
	Min, Max       int64
	HasMin, HasMax bool
	Pattern        string // as AWS prints it, in Java's dialect; it must match the whole string

	match matcher
}

// Absent is a set of members that the caller left out although they are required: bit i is
// Members[i] of the structure. Only scalars are in it, for the others nil says as much.
type Absent uint64

// Protocol names a way of putting calls on the wire.
type Protocol string

const (
	JSON10   Protocol = "json-1.0"
	JSON11   Protocol = "json-1.1"
	RESTJSON Protocol = "rest-json"
	QueryXML Protocol = "query"
	RESTXML  Protocol = "rest-xml"
)

// Operation is one entry of a service's operation table.
type Operation struct {
	Name     string
	Method   string // "POST"
	Path     string // "/" or a template: "/v2/apis/{ApiId}/routes", "/{Bucket}/{Key+}?acl"; greedy labels end in "+", what follows "?" must be in the query
	Status   int    // of a success, 0 is 200
	Input    Ref
	Output   Ref
	Unsigned bool     // the model's authtype none: called without credentials
	Errors   []string // modelled errors, by code

	// New makes an empty input (a pointer to the generated struct).
	New func() any
	// Call runs the operation on a handler that implements the service's Handler interface.
	Call func(ctx context.Context, handler, input any) (output any, err error)
}

// Model is all that the wire needs to know of a service.
type Model struct {
	ID           string // "Cognito Identity Provider"
	Endpoint     string // first label of its host: "cognito-idp"
	SigningName  string // in the credential scope: "cognito-idp"
	APIVersion   string // "2016-04-18"
	Protocol     Protocol
	TargetPrefix string // of X-Amz-Target: "AWSCognitoIdentityProviderService"
	XMLNamespace string
	Shapes       []Shape // [0] is unused
	Operations   []Operation
	Errors       []ErrorInfo

	// ValidationCode is the code of a failed constraint: "InvalidParameterException" in Cognito,
	// "ValidationException", or "ValidationError" in the Query services.
	ValidationCode string

	// MalformedCode is the code of a body that is not JSON: "SerializationException" but in Lambda.
	MalformedCode string

	// ElementNull says that the service ends the constraints that it lists of a collection's
	// elements with "Member must not be null".
	ElementNull bool
}

// ErrorInfo is one modelled error.
type ErrorInfo struct {
	Name   string // of the structure
	Code   string // on the wire, where it differs from Name ("ValidationError")
	Status int
	Server bool // the server's fault
	Shape  Ref
}

// At returns the shape that r stands for.
func (m *Model) At(r Ref) *Shape { return &m.Shapes[r] }
