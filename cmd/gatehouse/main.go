// Command gatehouse runs serverless APIs with sign-in: user pools, HTTP APIs with authorizers,
// functions and the stacks that define them, speaking the AWS APIs. `gatehouse --help` tells more.
package main

import (
	"os"

	"github.com/gatehouse-dev/gatehouse/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
