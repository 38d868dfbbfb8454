// The function of the tests for compiled runtimes, with aws-lambda-go as it is.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do string `json:"do"`
	N  int    `json:"n"`
}

var count int

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var r request
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	count++
	switch r.Do {
	case "echo":
		return raw, nil
	case "count":
		return count, nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "identity": lc.Identity.CognitoIdentityID, "client": lc.ClientContext.Client.AppTitle,
			"name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB, "left": time.Until(deadline).Seconds(),
		}, nil
	case "env":
		env := map[string]string{}
		for _, kv := range os.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		return env, nil
	case "error":
		return nil, errors.New("it did not work")
	case "panic":
		panic("oh no")
	case "exit":
		os.Exit(r.N)
	case "sleep":
		time.Sleep(time.Duration(r.N) * time.Millisecond)
		return "slept", nil
	case "print":
		for i := range r.N {
			fmt.Println("line", i)
		}
		return "printed", nil
	case "large":
		return strings.Repeat("x", r.N), nil
	case "memory":
		b := make([]byte, r.N<<20)
		for i := range b {
			b[i] = 1
		}
		time.Sleep(2 * time.Second)
		return len(b), nil
	case "tmp":
		return os.TempDir(), os.WriteFile(os.TempDir()+"/x", []byte("x"), 0o600)
	}
	return "hello", nil
}

func main() { lambda.Start(handle) }
