package jsonpath

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// store is the document of the README of Jayway's library, whose published examples the first rows are.
const store = `{"store":{"book":[
{"category":"reference","author":"Nigel Rees","title":"Sayings of the Century","price":8.95},
{"category":"fiction","author":"Evelyn Waugh","title":"Sword of Honour","price":12.99},
{"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99},
{"category":"fiction","author":"J. R. R. Tolkien","title":"The Lord of the Rings","isbn":"0-395-19395-8","price":22.99}],
"bicycle":{"color":"red","price":19.95}},"expensive":10}`

func TestGet(t *testing.T) {
	const misc = `{"a":{"b":[1,2,3,[4,5]],"c":null,"d":""},"list":[{"n":1,"t":["x","y"]},{"n":2,"t":["y"]},{"n":"2"},{"m":null}],
"odd key":{"it's":true},"big":12345678901234567890123,"f":1.50,"e":1e10}`
	tests := []struct{ doc, path, want string }{
		{store, "$.store.book[*].author", `["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"]`},
		{store, "$..author", `["Nigel Rees","Evelyn Waugh","Herman Melville","J. R. R. Tolkien"]`},
		{store, "$.store..price", `[8.95,12.99,8.99,22.99,19.95]`},
		{store, "$..book[2].title", `["Moby Dick"]`},
		{store, "$..book[-2].title", `["Moby Dick"]`},
		{store, "$..book[0,1].price", `[8.95,12.99]`},
		{store, "$..book[:2].price", `[8.95,12.99]`},
		{store, "$..book[1:2].price", `[12.99]`},
		{store, "$..book[-2:].price", `[8.99,22.99]`},
		{store, "$..book[2:].price", `[8.99,22.99]`},
		{store, "$..book[?(@.isbn)].title", `["Moby Dick","The Lord of the Rings"]`},
		{store, "$.store.book[?(@.price < 10)].title", `["Sayings of the Century","Moby Dick"]`},
		{store, "$..book[?(@.price <= $['expensive'])].price", `[8.95,8.99]`},
		{store, "$..book[?(@.author =~ /.*REES/i)].price", `[8.95]`},
		{store, "$..book.length()", `1`},
		{store, "$.store.book.length()", `4`},
		{store, "$.store.book[?(@.category == 'fiction' && @.price < 10 || @.price > 20)].price", `[8.99,22.99]`},
		{store, "$.store.book[?(!@.isbn)].price", `[8.95,12.99]`},
		{store, "$.store.book[?(@.category in ['reference','x'])].price", `[8.95]`},
		{store, "$.store.book[?(@.category nin ['fiction'])].price", `[8.95]`},
		{store, "$.store.bicycle['color','price']", `{"color":"red","price":19.95}`},
		{store, "$.store.book[*]['category','isbn']", `[{"category":"reference"},{"category":"fiction"},{"category":"fiction","isbn":"0-553-21311-3"},{"category":"fiction","isbn":"0-395-19395-8"}]`},
		{store, "$..price.max()", `22.99`},
		{store, "$.store.bicycle.keys()", `["color","price"]`},
		{store, "$.store.bicycle[?(@.color == 'red')].price", `[19.95]`},
		{store, "$..[?(@.color)].price", `[19.95]`},
		{store, "$.store.book.author", "none"},
		{store, "$.store.book[9]", "none"},
		{store, "$.nothing.here", "none"},
		{store, "$.nothing[*]", `[]`},
		{store, "$..nothing", `[]`},
		{misc, "a.b[3][0]", `4`},
		{misc, "$.a.c", `null`},
		{misc, "$['odd key'][\"it's\"]", `true`},
		{misc, "$['odd key']['it\\'s']", `true`},
		{misc, "$.a.b[-1]", `[4,5]`},
		{misc, "$.a.*", `[[1,2,3,[4,5]],null,""]`},
		{misc, "$.list[?(@.n == 2)].n", `[2]`},
		{misc, "$.list[?(@.n == '2')].n", `["2"]`},
		{misc, "$.list[?(@.n != 1)].n", `[2,"2"]`},
		{misc, "$.list[?(@.t contains 'x')].n", `[1]`},
		{misc, "$.list[?(@.t anyof ['x','q'])].n", `[1]`},
		{misc, "$.list[?(@.t subsetof ['y'])].n", `[2]`},
		{misc, "$.list[?(@.t noneof ['x'])].n", `[2]`},
		{misc, "$.list[?(@.t size 2)].n", `[1]`},
		{misc, "$.list[?(@.m == null)]", `[{"m":null}]`},
		{misc, "$.list[?(@.t[?(@ == 'x')])].n", `[1]`},
		{misc, "$.a[?(@.d empty true)].d", `[""]`},
		{misc, "$.big", `12345678901234567890123`},
		{misc, "$.f", `1.5`},
		{misc, "$.e", `1.0E10`},
		{misc, "$.list[*].n.length()", `3`},
		{misc, "$", `{"a":{"b":[1,2,3,[4,5]],"c":null,"d":""},"list":[{"n":1,"t":["x","y"]},{"n":2,"t":["y"]},{"n":"2"},{"m":null}],"odd key":{"it's":true},"big":12345678901234567890123,"f":1.5,"e":1.0E10}`},
	}
	for _, tt := range tests {
		doc, err := Decode([]byte(tt.doc))
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(tt.path)
		if err != nil {
			t.Errorf("%s: %v", tt.path, err)
			continue
		}
		got := "none"
		if v, err := p.Get(doc); err == nil {
			got = string(Append(nil, v))
		} else if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", tt.path, err)
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.path, got, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{
		"$.", "$[", "$[]", "$['a", "$['a'", "$..", "$...a", "$.a b", "$[?(@.a]", "$[?(1)]", "$[?(@.a =~ /(?=x)/)]", "$[?(@.a =~ /x)]", "$.f()", "$[1,", "$[a]",
		"$[99999999999999999999]", strings.Repeat("$[?(", 200), "$[?(" + strings.Repeat("!", 1000) + "@.a)]", "$." + strings.Repeat("x", MaxPath),
	} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%.40s was taken as %+v", text, p)
		}
	}
}

// TestBounded asks what costs most of a big document, and gets an end.
func TestBounded(t *testing.T) {
	doc, err := Decode([]byte("[" + strings.Repeat(`{"a":[[[1,2],[3]]]},`, 50_000) + "1]"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"$..*..*..*..*", "$..[?($..a)]", "$[?(@.a in $..a)]", "$[?($[?($[?(@.a)])])]"} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if _, err := p.Get(doc); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", text, err)
		}
	}
	self := &Object{}
	self.Set("self", self)
	p, _ := Parse("$..self")
	if _, err := p.Get(self); !errors.Is(err, ErrLimit) {
		t.Error("a value that holds itself:", err)
	}
	if n := len(Append(nil, self)); n > 100*MaxDepth {
		t.Error("written without end:", n)
	}
	if _, err := Decode([]byte(strings.Repeat("[", 100_000))); err == nil {
		t.Error("100,000 brackets were taken")
	}
}

func TestObject(t *testing.T) {
	var o Object
	var want []string
	for i := range 40 {
		k := strings.Repeat("k", i+1)
		o.Set(k, int64(i))
		want = append(want, k)
	}
	o.Set("k", "again")
	o.Delete("kk")
	want = append(want[:1], want[2:]...)
	if !reflect.DeepEqual(o.Keys(), want) {
		t.Error(o.Keys())
	}
	if v, ok := o.Get(want[20]); !ok || v != int64(21) {
		t.Error(v, ok)
	}
	if v, _ := o.Get("k"); v != "again" {
		t.Error(v)
	}
}

func TestFormatFloat(t *testing.T) {
	// By the documentation of java.lang.Double.toString.
	for f, want := range map[float64]string{0: "0.0", 1: "1.0", -2.5: "-2.5", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 9999999: "9999999.0", 1.25e-10: "1.25E-10", 123456789.5: "1.234567895E8"} {
		if got := FormatFloat(f); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
}

// FuzzDecode holds the decoder against encoding/json: the same texts are taken, and mean the same.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{store, `[1,-0,1e5,"a\u00e9\ud83d\ude00\ud800",null,true,{}]`, `{"a":1,"a":2}`, `"\uZZZZ"`, `[1,]`, `01`, `1.`, "\"\xff\"", `-`, `{"a"}`, ` 1 `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Decode([]byte(s))
		if strings.Count(s, "[")+strings.Count(s, "{") < MaxDepth {
			if valid := json.Valid([]byte(s)); valid != (err == nil) {
				t.Fatalf("valid %v, but %v", valid, err)
			}
		}
		if err != nil || strings.ContainsAny(s, "eE") { // Java writes exponents that need a look
			return
		}
		var want, got any
		if json.Unmarshal([]byte(s), &want) != nil {
			return
		}
		text := Append(nil, v)
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s became %s: %v", s, text, err)
		}
	})
}

func FuzzGet(f *testing.F) {
	for _, s := range []string{"$.store.book[?(@.price < 10 && !(@.isbn =~ /x/i))].title", "$..*", "$['a','b'][1:-1]", "$.store..price.max()", "$[?(@ in [1,'a',null])]", "x.y"} {
		f.Add(s)
	}
	doc, err := Decode([]byte(store))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		v, err := p.Get(doc)
		if err == nil && !p.Definite() && p.function == "" {
			if _, ok := v.(*Array); !ok {
				t.Fatalf("%T of an indefinite path", v)
			}
		}
		Append(nil, v)
	})
}

func BenchmarkGet(b *testing.B) {
	doc, err := Decode([]byte(store))
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{"$.store.bicycle.color", "$.store.book[*].author", "$..book[?(@.price < 10)].title"} {
		p, err := Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Get(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(store)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode([]byte(store)); err != nil {
			b.Fatal(err)
		}
	}
}
