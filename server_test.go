package gatehouse_test

import (
	"context"
	"testing"

	"github.com/gatehouse-dev/gatehouse"
)

func TestServerClosesOnce(t *testing.T) {
	s := gatehouse.Test(t)
	for range 2 { // and once more when the test ends
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(context.Background()); err == nil {
		t.Error("a server that has ended was started again")
	}
}
