// Package floors says who may import whom. The floors are data; the test reads the tree with
// `go list` and fails on an import that goes up or sideways.
package floors

// Of gives the floor of a package by its path below the module, or of the subtree that the longest
// matching entry names. A package imports only packages on lower floors, or its own subtree.
var Of = map[string]int{
	// 0, ground: no project imports.
	"internal/arn":      0,
	"internal/ident":    0,
	"internal/seal":     0,
	"internal/sigv4":    0,
	"internal/srp":      0,
	"internal/jsonpath": 0,
	"internal/vtl":      0,
	"internal/floors":   0,
	"app":               0, // public; an app's own `go run` compiles nothing else

	// 1, shapes: the AWS API models.
	"internal/shape": 1,
	"internal/api":   1,

	// 2, wire: protocols.
	"internal/wire": 2,

	// 3, store.
	"internal/store": 3,

	// 4, engines: no AWS operation names.
	"internal/policy":       4,
	"internal/session":      4, // temporary credentials, which several services make
	"internal/saml":         4,
	"internal/keys":         4,
	"internal/token":        4,
	"internal/client":       4, // the CLI's side of the wire
	"internal/localca":      4,
	"internal/surroundings": 4, // of programs and functions that are to reach the server
	"internal/trace":        4,
	"internal/message":      4,
	"internal/openapi":      4, // documents that describe APIs, for both kinds of API
	"internal/sandbox":      4,
	"internal/domains":      4, // custom domain names, which both APIs of API Gateway serve
	"internal/runtime":      4,
	"internal/bundle":       4,
	"internal/template":     4,
	"internal/transform":    4, // of templates into templates
	"internal/resource":     4,

	// 5, services: implement a generated Handler; never import each other.
	"internal/iam":           5,
	"internal/userpools":     5,
	"internal/identitypools": 5,
	"internal/functions":     5,
	"internal/restapis":      5,
	"internal/httpapis":      5,
	"internal/stacks":        5,
	"internal/buckets":       5,
	"internal/logs":          5,
	"internal/parameters":    5,

	// 6, faces.
	"internal/gateway": 6,
	"internal/signin":  6,
	"internal/proxy":   6,
	"internal/console": 6,
	"internal/admin":   6,

	// 7, roof.
	"internal/engine": 7,
	"":                8, // package gatehouse, the embeddable server
	"internal/dev":    9,
	"internal/cli":    10,
	"cmd/gatehouse":   11,
}

// SameFloor lists the imports within a floor that are meant: an engine that is built on another.
var SameFloor = map[string][]string{
	"internal/api":       {"internal/shape"},
	"internal/keys":      {"internal/token"},
	"internal/resource":  {"internal/template"},
	"internal/session":   {"internal/policy"},
	"internal/transform": {"internal/template"},
	"internal/vtl":       {"internal/jsonpath"}, // templates work on the documents that paths select from
}
