package conformance

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// config returns the settings of an AWS SDK client for s.
func (s *server) config(t testing.TB) aws.Config {
	t.Helper()
	return sdkConfig(t, s.settings(t))
}

func sdkConfig(t testing.TB, v settings) aws.Config {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(),
		config.WithBaseEndpoint(v.Endpoint),
		config.WithRegion(v.Region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(v.KeyID, v.Secret, "")),
		config.WithRetryMaxAttempts(1),
		config.WithLogger(logging.Nop{}),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// ok fails the test at an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns v and fails the test at an error.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// typed checks that the SDK made an error of type E from the answer, with that message; an empty one is
// any. It is called with the results of an operation.
func typed[E smithy.APIError](t testing.TB, what, message string) func(_ any, err error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		var e E
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want an error of type %T", what, err, e)
			return
		}
		if message != "" && e.ErrorMessage() != message {
			t.Errorf("%s: message %q, want %q", what, e.ErrorMessage(), message)
		}
	}
}

// coded checks that err is an error of the API with that code and message; an empty message is any.
func coded(t testing.TB, what, code, message string) func(_ any, err error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != code {
			t.Errorf("%s: %v, want error %s", what, err, code)
			return
		}
		if message != "" && e.ErrorMessage() != message {
			t.Errorf("%s: message %q, want %q", what, e.ErrorMessage(), message)
		}
	}
}

// words joins values with blanks.
func words(list ...any) string { return strings.TrimSpace(fmt.Sprintln(list...)) }

// zipped makes a zip file of names and texts that alternate.
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		ok(t, err)
		_, err = f.Write([]byte(files[i+1]))
		ok(t, err)
	}
	ok(t, w.Close())
	return b.Bytes()
}

// lambdaTrust is the trust policy of a function's role.
const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
