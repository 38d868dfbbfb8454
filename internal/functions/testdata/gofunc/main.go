// The compiled function of the tests.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, in struct{ Name string }) (string, error) { return "hello " + in.Name, nil })
}
