package httpapis

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// snapshotOf compiles routes from their keys.
func snapshotOf(t testing.TB, keys ...string) *Snapshot {
	t.Helper()
	c := &config{}
	for i, k := range keys {
		if _, _, err := parseRouteKey(k); err != nil {
			t.Fatal(err)
		}
		c.Routes = append(c.Routes, &route{RouteId: shape.Ptr(fmt.Sprint(i)), RouteKey: &k, AuthorizationType: shape.Ptr("NONE")})
	}
	s := &Snapshot{}
	s.fill(c, &stage{})
	return s
}

func TestMatch(t *testing.T) {
	// The first group is the example of the developer guide, "Routing API requests".
	guide := []string{"GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"}
	for _, test := range []struct {
		routes               []string
		method, path         string
		want, wantParameters string
	}{
		{guide, "GET", "/pets/dog/1", "GET /pets/dog/1", ""},
		{guide, "GET", "/pets/dog/2", "GET /pets/dog/{id}", "id=2"},
		{guide, "GET", "/pets/cat/1", "GET /pets/{proxy+}", "proxy=cat/1"},
		{guide, "POST", "/test/5", "ANY /{proxy+}", "proxy=test/5"},
		{guide, "POST", "/pets/dog/1", "ANY /{proxy+}", "proxy=pets/dog/1"},
		{guide, "GET", "/", "ANY /{proxy+}", "proxy="},
		{[]string{"GET /a", "$default"}, "POST", "/a", "$default", ""},
		{[]string{"GET /a"}, "POST", "/a", "", ""},
		{[]string{"GET /a"}, "HEAD", "/a", "", ""},
		{[]string{"GET /a"}, "GET", "/a/", "", ""},
		{[]string{"GET /a"}, "GET", "//a", "", ""},
		{[]string{"GET /a"}, "GET", "/A", "", ""},
		{[]string{"GET /a"}, "GET", "a", "", ""},
		{[]string{"GET /"}, "GET", "/", "GET /", ""},
		{[]string{"GET /"}, "GET", "//", "", ""},
		{[]string{"GET /a", "ANY /a"}, "GET", "/a", "GET /a", ""},
		{[]string{"GET /a", "ANY /a"}, "PUT", "/a", "ANY /a", ""},
		{[]string{"ANY /a", "GET /{x}"}, "GET", "/a", "ANY /a", ""},
		{[]string{"POST /a", "GET /{x}"}, "GET", "/a", "GET /{x}", "x=a"},
		{[]string{"GET /{x}"}, "GET", "/", "", ""},
		{[]string{"GET /{x}/b", "GET /a/{y}"}, "GET", "/a/b", "GET /a/{y}", "y=b"},
		{[]string{"GET /{x}/c", "GET /a/b"}, "GET", "/a/c", "GET /{x}/c", "x=a"},
		{[]string{"GET /{x}/b", "GET /a/{p+}"}, "GET", "/a/b", "GET /{x}/b", "x=a"}, // a full match goes first
		{[]string{"GET /a/{p+}"}, "GET", "/a/", "GET /a/{p+}", "p="},
		{[]string{"GET /a/{p+}"}, "GET", "/a", "", ""},
		{[]string{"GET /a/{p+}"}, "GET", "/a/b//c/", "GET /a/{p+}", "p=b//c/"},
		{[]string{"GET /a/{p+}", "POST /a/b/{q+}"}, "GET", "/a/b/c", "GET /a/{p+}", "p=b/c"},
		{[]string{"GET /{x}/{y}/{p+}", "GET /a/{p+}"}, "GET", "/a/b/c/d", "GET /a/{p+}", "p=b/c/d"},
		{[]string{"GET /{user-id}/x.y"}, "GET", "/é ü/x.y", "GET /{user-id}/x.y", "user-id=é ü"},
	} {
		s := snapshotOf(t, test.routes...)
		got, parameters := "", ""
		if r := s.Match(test.method, test.path); r != nil {
			got = r.Key
			var list []string
			r.PathParameters(test.path, func(name, value string) { list = append(list, name+"="+value) })
			parameters = strings.Join(list, " ")
		}
		if got != test.want || parameters != test.wantParameters {
			t.Errorf("%v: %s %s → %q (%s), want %q (%s)", test.routes, test.method, test.path, got, parameters, test.want, test.wantParameters)
		}
	}
}

func TestMisses(t *testing.T) {
	s := snapshotOf(t, "GET /pets", "POST /pets/{id}", "PUT /pets/{id}", "GET /cats")
	if got := s.Misses("/pets/1", 5); !slices.Equal(got, []string{"POST /pets/{id}", "PUT /pets/{id}", "GET /pets"}) {
		t.Errorf("Misses = %v", got)
	}
	if got := s.Misses("/pets/1", 1); !slices.Equal(got, []string{"POST /pets/{id}"}) {
		t.Errorf("one miss = %v", got)
	}
}

// slow is the rule of the package comment, said another way: the first in order of all routes that match.
func slow(s *Snapshot, method, path string) *Route {
	var best *Route
	var bestRank []int
	for _, r := range s.Routes {
		if r.Method != "" && r.Method != "ANY" && r.Method != method {
			continue
		}
		rank, ok := rankOf(r, path)
		if !ok {
			continue
		}
		if r.Method == "ANY" {
			rank = append(rank, 1)
		} else {
			rank = append(rank, 0)
		}
		if best == nil || slices.Compare(rank, bestRank) < 0 {
			best, bestRank = r, rank
		}
	}
	return best
}

// rankOf gives 0 for a full match, 1 for a greedy one, 2 for $default; then for each segment 0 static, 1
// variable, 2 greedy.
func rankOf(r *Route, path string) ([]int, bool) {
	if r.Method == "" {
		return []int{2}, true
	}
	if path == "" || path[0] != '/' {
		return nil, false
	}
	rank := []int{0}
	rest, more := path[1:], path != "/"
	for _, s := range r.segments {
		if strings.HasSuffix(s, "+}") {
			if len(rank) > 1 && !more {
				return nil, false
			}
			rank[0] = 1
			return append(rank, 2), true
		}
		if !more {
			return nil, false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch {
		case s == segment:
			rank = append(rank, 0)
		case s[0] == '{' && segment != "":
			rank = append(rank, 1)
		default:
			return nil, false
		}
	}
	return rank, !more
}

func FuzzMatch(f *testing.F) {
	f.Add("GET /a\nANY /a/{x}\nGET /{y}/b\nGET /a/{p+}\nANY /{p+}\n$default", "GET", "/a/b/c")
	f.Add("GET /\nPOST /{a}/{b}", "POST", "/x/y")
	f.Add("GET /{a}/{b+}\nGET /{a}/c/{d+}", "GET", "/x/c/")
	f.Fuzz(func(t *testing.T, list, method, path string) {
		c := &config{}
		for i, k := range strings.Split(list, "\n") {
			if _, _, err := parseRouteKey(k); err == nil && i < 50 {
				c.Routes = append(c.Routes, &route{RouteId: shape.Ptr(fmt.Sprint(i)), RouteKey: &k, AuthorizationType: shape.Ptr("NONE")})
			}
		}
		if !utf8.ValidString(path) || method == "ANY" || method == "" {
			return
		}
		s := &Snapshot{}
		s.fill(c, &stage{})
		got, want := s.Match(method, path), slow(s, method, path)
		switch {
		case (got == nil) != (want == nil):
			t.Fatalf("%q %s %q: %v, want %v", list, method, path, got, want)
		case got == nil:
			return
		}
		// Routes that differ in the names of variables only are as good as each other.
		gotRank, _ := rankOf(got, path)
		wantRank, _ := rankOf(want, path)
		if !slices.Equal(gotRank, wantRank) || got.Method != want.Method {
			t.Fatalf("%q %s %q: %s, want %s", list, method, path, got.Key, want.Key)
		}
		got.PathParameters(path, func(name, value string) {
			if !strings.Contains(path, value) {
				t.Fatalf("parameter %s is %q, which is not in %q", name, value, path)
			}
		})
	})
}

func BenchmarkMatch10000(b *testing.B) {
	var keys []string
	for i := range 10000 {
		keys = append(keys, fmt.Sprintf("GET /v%d/things/%d/{id}/parts/{part}", i%10, i))
	}
	s := snapshotOf(b, append(keys, "$default")...)
	b.ReportAllocs()
	for b.Loop() {
		if s.Match("GET", "/v7/things/1237/abc/parts/9") == s.fallback {
			b.Fatal("no match")
		}
	}
}
