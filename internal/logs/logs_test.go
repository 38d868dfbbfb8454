package logs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func newTest(t *testing.T, db *store.DB) (*Service, context.Context) {
	s := New(Options{DB: db, Account: "000000000000"})
	t.Cleanup(func() { s.Close(context.Background()) })
	return s, wire.WithCall(t.Context(), &wire.Call{Account: "000000000000", Region: "us-east-1"})
}

func code(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestWriteFilterAndPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		base := time.Now().Truncate(time.Millisecond)
		for i := range 25 {
			s.Write("us-east-1", "/aws/lambda/f", "2026/11/21/[$LATEST]a", base.Add(time.Duration(i/5)*time.Millisecond), fmt.Appendf(nil, "line %d", i))
		}
		s.Write("eu-west-1", "/aws/lambda/f", "s", base, []byte("elsewhere"))

		var got []string
		var token *string
		for range 10 {
			out, err := s.FilterLogEvents(ctx, &logs.FilterLogEventsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), Limit: shape.Ptr(int64(10)), NextToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range out.Events {
				got = append(got, *e.Message)
			}
			if token = out.NextToken; token == nil {
				break
			}
		}
		if len(got) != 25 || got[0] != "line 0" || got[24] != "line 24" {
			t.Errorf("pages hold %d lines: %v", len(got), got)
		}

		out, err := s.FilterLogEvents(ctx, &logs.FilterLogEventsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), FilterPattern: shape.Ptr(`"line 1" -"line 10"`)})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Events) != 10 { // 1 and 11 to 19
			t.Errorf("the pattern found %d lines, want 10", len(out.Events))
		}

		back, err := s.GetLogEvents(ctx, &logs.GetLogEventsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), LogStreamName: "2026/11/21/[$LATEST]a", Limit: shape.Ptr(int64(3))})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(back.Events); n != 3 || *back.Events[2].Message != "line 24" {
			t.Errorf("the newest three: %d events", n)
		}
		older, err := s.GetLogEvents(ctx, &logs.GetLogEventsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), LogStreamName: "2026/11/21/[$LATEST]a", Limit: shape.Ptr(int64(3)), NextToken: back.NextBackwardToken})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(older.Events); n != 3 || *older.Events[2].Message != "line 21" {
			t.Errorf("the three before: %v", older.Events)
		}
		end, err := s.GetLogEvents(ctx, &logs.GetLogEventsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), LogStreamName: "2026/11/21/[$LATEST]a", NextToken: back.NextForwardToken})
		if err != nil || len(end.Events) != 0 || *end.NextForwardToken != *back.NextForwardToken {
			t.Errorf("at the end: %v, %v; want no events and the same token", end, err)
		}
		streams, err := s.DescribeLogStreams(ctx, &logs.DescribeLogStreamsRequest{LogGroupName: shape.Ptr("/aws/lambda/f"), OrderBy: shape.Ptr("LastEventTime"), Descending: shape.Ptr(true)})
		if err != nil || len(streams.LogStreams) != 1 || *streams.LogStreams[0].FirstEventTimestamp != base.UnixMilli() {
			t.Errorf("streams: %v, %v", streams, err)
		}
	})
}

func TestGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, ctx := newTest(t, db)
		for _, name := range []string{"/a", "/a/b", "/b"} {
			if _, err := s.CreateLogGroup(ctx, &logs.CreateLogGroupRequest{LogGroupName: name}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.CreateLogGroup(ctx, &logs.CreateLogGroupRequest{LogGroupName: "/a"}); code(err) != "ResourceAlreadyExistsException" {
			t.Errorf("a second /a: %v", err)
		}
		if _, err := s.PutRetentionPolicy(ctx, &logs.PutRetentionPolicyRequest{LogGroupName: "/a", RetentionInDays: 7}); err != nil {
			t.Error(err)
		}
		if _, err := s.PutRetentionPolicy(ctx, &logs.PutRetentionPolicyRequest{LogGroupName: "/a", RetentionInDays: 8}); code(err) != "InvalidParameterException" {
			t.Errorf("8 days: %v", err)
		}
		out, err := s.DescribeLogGroups(ctx, &logs.DescribeLogGroupsRequest{LogGroupNamePrefix: shape.Ptr("/a")})
		if err != nil || len(out.LogGroups) != 2 || *out.LogGroups[0].RetentionInDays != 7 {
			t.Errorf("groups with the prefix: %v, %v", out, err)
		}
		page, err := s.DescribeLogGroups(ctx, &logs.DescribeLogGroupsRequest{Limit: shape.Ptr(int64(2))})
		if err != nil || len(page.LogGroups) != 2 || page.NextToken == nil {
			t.Fatalf("a page of two: %v, %v", page, err)
		}
		page, err = s.DescribeLogGroups(ctx, &logs.DescribeLogGroupsRequest{Limit: shape.Ptr(int64(2)), NextToken: page.NextToken})
		if err != nil || len(page.LogGroups) != 1 || page.NextToken != nil {
			t.Errorf("the next page: %v, %v", page, err)
		}

		s.Write("us-east-1", "/a", "s", time.Now(), []byte("late")) // still pending
		if _, err := s.DeleteLogGroup(ctx, &logs.DeleteLogGroupRequest{LogGroupName: "/a"}); err != nil {
			t.Fatal(err)
		}
		s.flush(ctx)
		if _, err := s.FilterLogEvents(ctx, &logs.FilterLogEventsRequest{LogGroupName: shape.Ptr("/a")}); code(err) != "ResourceNotFoundException" {
			t.Errorf("a deleted group: %v", err)
		}
		if _, err := s.DeleteLogGroup(ctx, &logs.DeleteLogGroupRequest{LogGroupName: "/a"}); code(err) != "ResourceNotFoundException" {
			t.Errorf("deleted twice: %v", err)
		}
	})
}

func TestTailMissesAndRepeatsNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newTest(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const n = 500
		write := func(i int) { s.Write("us-east-1", "/g", "s", time.Now(), fmt.Append(nil, i)) }
		for i := range n / 2 {
			write(i)
		}
		ch, err := s.Tail(ctx, "us-east-1", "/g", time.Now().Add(-time.Minute), true)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := n / 2; i < n; i++ {
				write(i)
			}
		}()
		for i := range n {
			select {
			case e := <-ch:
				if e.Message != fmt.Sprint(i) {
					t.Fatalf("event %d is %q", i, e.Message)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("event %d did not come", i)
			}
		}
		cancel()
		for range ch { // ends with the context
		}
	})
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"", "anything", true},
		{"ERROR", "an ERROR came", true},
		{"ERROR", "an error came", false},
		{"ERROR timeout", "timeout ERROR", true},
		{"ERROR timeout", "ERROR", false},
		{`"out of memory"`, "ran out of memory", true},
		{"ERROR -retry", "ERROR, will retry", false},
		{"?WARN ?ERROR", "WARN", true},
		{"?WARN ?ERROR", "INFO", false},
		{"%E.*R%", "xxEzzRyy", true},
	}
	for _, tt := range tests {
		f, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
		} else if got := f(tt.text); got != tt.want {
			t.Errorf("%q on %q: %v", tt.pattern, tt.text, got)
		}
	}
	for _, bad := range []string{`{ $.level = "x" }`, `"open`, "-", "%(%"} {
		if _, err := parsePattern(bad); code(err) != "InvalidParameterException" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"ERROR", `"a b" -c ?d`, "%x%", "{$.a}"} {
		f.Add(s, "some text")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if match, err := parsePattern(pattern); err == nil {
			match(text)
		}
	})
}
