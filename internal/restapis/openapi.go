package restapis

import "github.com/gatehouse-dev/gatehouse/internal/openapi"

// MaxBody is the size of the largest body of an operation's request, in bytes; 0 leaves it to the wire.
func MaxBody(operation string) int64 {
	switch operation {
	case "ImportRestApi", "PutRestApi", "ImportDocumentationParts", "ImportApiKeys":
		return openapi.MaxSize
	}
	return 0
}
