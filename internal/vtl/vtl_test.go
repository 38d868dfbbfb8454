package vtl

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// input is a small $input of a caller.
type input struct{ doc any }

func (in input) Property(name string) any {
	if name == "body" {
		return string(jsonpath.Append(nil, in.doc))
	}
	return nil
}

func (in input) Call(name string, args []any) (any, bool, error) {
	if len(args) != 1 {
		return nil, false, nil
	}
	text, _ := args[0].(string)
	p, err := jsonpath.Parse(text)
	if err != nil {
		return nil, true, err
	}
	v, err := p.Get(in.doc)
	switch {
	case errors.Is(err, jsonpath.ErrNotFound):
		return nil, true, nil
	case err != nil:
		return nil, true, err
	case name == "json":
		return string(jsonpath.Append(nil, v)), true, nil
	}
	return v, name == "path", nil
}

const document = `{"name":"Ann","n":7,"f":1.5,"t":true,"null":null,"list":[1,"b",{"k":"v"}],"map":{"b":1,"a":{"x":"y"}},"photos":{"page":1,"pages":"1234","photo":[
{"id":"12345678901","owner":"23456789@A12","title":"Sample photo 1","ispublic":1},{"id":"23456789012","owner":"34567890@B23","title":"Sample photo 2","ispublic":0}]}}`

func run(t *testing.T, source string, limits Limits) (string, error) {
	t.Helper()
	doc, err := jsonpath.Decode([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := Compile(source)
	if err != nil {
		return "", err
	}
	out, err := tpl.Execute(t.Context(), map[string]any{"input": input{doc}, "s": "Hello", "doc": doc, "u": "aé😀b"}, limits)
	return string(out), err
}

func TestReferences(t *testing.T) {
	table(t, [][2]string{
		{`plain`, `plain`},
		{`$s ${s} $!s $!{s}`, `Hello Hello Hello Hello`},
		{`$none ${none} $!none $!{none} $none.a.b() ${none.a}`, `$none ${none}   $none.a.b() ${none.a}`},
		{`$s.none $s.none() $!s.none()`, `$s.none $s.none() `},
		{`$doc.none $!doc.none`, `$doc.none `},
		{`[$input.path('$.none')]`, `[]`},
		{`$5 $ $$s US$ $.x $!5 a$`, `$5 $ $Hello US$ $.x $!5 a$`},
		{`$s.`, `Hello.`},
		{`$s. x`, `Hello. x`},
		{`${s}x $s[x`, `Hellox Hello[x`},
		{`$doc.map.a.x $doc.get("map").get('a').x $doc.map["a"]["x"] ${doc.map.a.x}`, `y y y y`},
		{`$doc.list[0]$doc.list[-1].k$doc.list.get(1)`, `1vb`},
		{`#set($i=1)$doc.list[$i]`, `b`},
		{`$input.path('$.name').length()`, `3`},
		{`$input.path("$.name") $input.json('$.name') $input.json("$.list")`, `Ann "Ann" [1,"b",{"k":"v"}]`},
		{`$input.path('$.map') $input.path('$.list')`, `{b=1, a={x=y}} [1,"b",{"k":"v"}]`},
		{`$doc.f $doc.t $doc.null`, `1.5 true $doc.null`},
		{`$s.class.forName('x')`, `$s.class.forName('x')`},
		// The escapes of the user guide.
		{`#set($email = "foo")$email \$email \\$email \\\$email`, `foo $email \foo \$email`},
		{`$email \$email \\$email \\\$email`, `$email \$email \\$email \\\$email`},
		{`\#set(x) \\ \" \n`, `#set(x) \\ \" \n`},
		{`$s-x`, `$s-x`}, // hyphens belong to names
	})
}

func TestDirectives(t *testing.T) {
	table(t, [][2]string{
		{"a\n  #set($x = 1)  \nb$x", "a\nb1"},
		{"a #set($x = 1) b", "a b"},
		{"#if(true)\n  yes\n#end\nafter", "  yes\nafter"},
		{"#if($none)a#elseif($s == 'Hello')b#{else}c#end", "b"},
		{"#if($none)a#{else}c#{end}d", "cd"},
		{"#if ( ! $none && ($s.length() == 5 or false) )y#end", "y"},
		{`#if("")y#end#if(0)y#end#if($doc.null)n#end#if(false)n#end`, "yy"},
		{"#foreach($i in [1..3])$i#if($foreach.hasNext), #end#end", "1, 2, 3"},
		{"#foreach($i in [3..1])$velocityCount$foreach.index$foreach.count$foreach.first$foreach.last #end$!i", "101truefalse 212falsefalse 323falsetrue "},
		{"#set($i='kept')#foreach($i in ['a'])$i#end$i", "akept"},
		{"#foreach($i in [1,2])#foreach($j in [1,2])$foreach.parent.count$foreach.count #end#end", "11 12 21 22 "},
		{"#foreach($v in $doc.map)$v #end#foreach($k in $doc.map.keySet())$k#end#foreach($e in $doc.map.entrySet())$e.key=$e.value $e.getKey()#end", "1 {x=y} bab=1 ba={x=y} a"},
		{"#foreach($i in $none)x#end#foreach($i in $s)x#end", ""},
		{"#foreach($i in [1..9])#if($i > 3)#break#end$i#end.", "123."},
		{"a#stop b", "a"},
		{"#set($x = {})$x.put('a', 1)$x.put('a', 2)$!x.put('b', 3)$x", "$x.put('a', 1)1{a=2, b=3}"},
		{"#set($x = [])$x.add(1)$!x.add('b')#set($x[0] = 9)$x", "truetrue[9, b]"},
		{"#set($x = {'a': {}})#set($x.a.b = 'c')#set($x['d'] = [1, [2.0, true]])$x", "{a={b=c}, d=[1, [2.0, true]]}"},
		{"#set($x = 'old')#set($x = $none)$x", "old"},
		{`#set($q = 'it''s')$q #set($q = "say ""$s""")$q #set($q = '$s')$q #set($q = "$none $!none")$q`, `it'ssay "Hello"$s$none `},
		{`#set($x = "#if(true)$s#end")$x`, "Hello"},
		{`#set($x = "\u0041\n")$x`, `A\n`},
		{"a ## comment $s\nb", "a b"},
		{"a#* $s \n *#b", "ab"},
		{"#[[ $s #if ]]#", " $s #if "},
		{"#macro(hi $who $n)\nHi $who$!n\n#end\n#hi('Bo' 1)#hi($s)", "Hi Bo1\nHi Hello\n"},
		{"#macro(twice)$bodyContent$bodyContent#end#@twice()x$s#end", "xHelloxHello"},
		{"#use('x')#macro(use $p)[$p]#end", "[x]"},
		{"#define($block)<$v>#end#set($v = 1)$block#set($v = 2)$block", "<1><2>"},
		{"#unknown #fff; #unknown($s)#1 # ## x", "#unknown #fff; #unknown($s)#1 # "},
		{"#set( $map = {\n \"a\" : 1,\n \"b\" : [ 1, 2 ]\n} )$map.b.size()", "2"},
	})
}

func TestOperators(t *testing.T) {
	table(t, [][2]string{
		{"#set($x = 7 / 2)$x #set($x = -7 / 2)$x #set($x = 7 % 3)$x #set($x = 7.0 / 2)$x #set($x = 2 * 3 + 4 - 1)$x #set($x = 2 * (3 + 4))$x", "3-313.5914"},
		{"#set($x = 'old')#set($x = 1 / 0)$x #set($x = 's' - 1)$x", "oldold"},
		{"#set($x = 'a' + 1 + 2)$x #set($x = 1 + 2 + 'a')$x #set($x = 'a' + $none)$x #set($x = 'a' + 1.0 + true)$x", "a123aa$nonea1.0true"},
		{"#set($x = 9223372036854775807 + 1)$x #set($x = $x - 1)$x #set($x = 4611686018427387904 * 4)$x", "9223372036854775808922337203685477580718446744073709551616"},
		{"#if(1 == 1.0)a#end#if('1' == 1)b#end#if('a' == \"a\")c#end#if($none == $none)d#end#if($none == '')e#end#if($none != 'x')f#end#if([1] == [1])g#end", "abcdfg"},
		{"#if(1 < 2)a#end#if(2 <= 1)b#end#if('a' < 'b')c#end#if(1 lt 2 and 3 ge 3)d#end#if(1 ne 1 or not false)e#end#if(1 gt $none)f#end", "ade"},
		{"#set($x = 1 == 1)$x #set($x = !true)$x #set($x = -5)$x #set($x = 1.5e3)$x #set($x = 100000000.0)$x", "truefalse-51500.01.0E8"},
	})
}

func TestMethods(t *testing.T) {
	table(t, [][2]string{
		{`$s.length() $s.substring(1) $s.substring(1, 3) $s.toUpperCase() $s.indexOf('l') $s.lastIndexOf('l') $s.indexOf('l', 3) $s.charAt(1) $s.contains('ell') $s.startsWith('He') $s.endsWith('x')`,
			`5 ello el HELLO 2 3 3 e true true false`},
		{`$u.length() $u.substring(1,4) $u.indexOf('b') $u.lastIndexOf("é")`, `5 é😀 4 1`},
		{`$s.equals('Hello') $s.equalsIgnoreCase('hELLO') $s.replace('l', 'L') $s.replaceAll('l+', '<$0>') $s.replaceFirst('l', '') $s.matches('H.*o') $s.matches('ell') $s.concat('!') $s.isEmpty() $s.empty $s.hashCode() $s.compareTo('Help')`,
			`true true HeLLo He<ll>o Helo true false Hello! false false 69609650 -4`},
		{`#set($s = "a,b,,c,,")#set($a = $s.split(","))$a.size() $a[3] $a#set($s = "a1b2") $s.split("[0-9]")#set($s = "a,b,c") $s.split(",", 2) $s.split("x")`, `4 c [a, b, , c] [a, b] [a, b,c] [a,b,c]`},
		{`#set($q = "it\'s")$q.replaceAll("\\'", "'")`, `it's`},
		{`" x ".trim() #set($x = "  x ")[$x.trim()]`, `" x ".trim()[x]`},
		{`#set($Integer = 0)$Integer.parseInt("12") $Integer.valueOf("3") #set($Double = 0.0)$Double.parseDouble("1e3") $Double.valueOf("2") $doc.n.toString().length() $doc.f.intValue() $doc.n.doubleValue() $doc.n.equals(7) $doc.n.compareTo(9)`,
			`12 31000.0 2.0 1 1 7.0 true -1`},
		{`$s.format("%05d|%-4s|%.2f", 42, "ab", 1.5)`, `00042|ab  |1.50`},
		{`#set($l = [3, 'a', 3])$l.size() $l.contains('a') $l.indexOf(3) $l.lastIndexOf(3) $l.isEmpty() $l.subList(1, 3) $l.remove(0) $l.remove('a') $l $l.addAll([1, 2]) $l.add(0, 'f')$l`,
			`3 true 0 2 false [a, 3] 3 true [3] true $l.add(0, 'f')[f, 3, 1, 2]`},
		{`#set($m = {'a': 1})$m.size() $m.containsKey('a') $m.containsValue(1) $m.get('a') $m.getOrDefault('z', 'd') $m.keySet() $m.values() $m.entrySet() $m.remove('a') $m.isEmpty() $m.empty`,
			`1 true true 1 d [a] [1] [a=1] 1 true $m.empty`},
		{`#set($it = $doc.list.iterator())#foreach($x in [1..5])#if($it.hasNext())$it.next();#end#end`, `1;b;{k=v};`},
	})
}

// TestDocumentation runs examples of API Gateway's developer guide: "Models and mapping templates" (photos),
// and $util.parseJson's index into an array.
func TestDocumentation(t *testing.T) {
	table(t, [][2]string{
		{`#set($inputRoot = $input.path('$'))
{
    "photos": [
#foreach($elem in $inputRoot.photos.photo)
        {
            "id": "$elem.id",
            "owner": "$elem.owner",
            "title": "$elem.title",
            "ispublic": $elem.ispublic
        }#if($foreach.hasNext),#end

#end
    ]
}`, `{
    "photos": [
        {
            "id": "12345678901",
            "owner": "23456789@A12",
            "title": "Sample photo 1",
            "ispublic": 1
        },
        {
            "id": "23456789012",
            "owner": "34567890@B23",
            "title": "Sample photo 2",
            "ispublic": 0
        }
    ]
}`},
		{"#set ($obj = $input.path('$'))\n{\n   \"v\" : $obj.list[0]\n}\n", "{\n   \"v\" : 1\n}\n"},
	})
}

func table(t *testing.T, rows [][2]string) {
	t.Helper()
	for _, row := range rows {
		got, err := run(t, row[0], Limits{})
		if err != nil || got != row[1] {
			t.Errorf("%s\n got %q, %v\nwant %q", row[0], got, err, row[1])
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for source, want := range map[string]string{
		"#if(true)":               "line 1, column 10: expected #end of #if",
		"a\n #end":                "line 2, column 6: #end without a block",
		"#set($x 1)":              "line 1, column 9: expected =",
		"#set($x = null)":         `line 1, column 11: unexpected "null"`,
		"#set($x = 'a)":           "line 1, column 11: the string has no end",
		"#foreach($x of [1])#end": "line 1, column 15: expected in",
		"#parse('x')":             "line 1, column 1: #parse is not supported",
		"x #evaluate('x')":        "line 1, column 3: #evaluate is not supported",
		"#include":                "line 1, column 1: #include is not supported",
		"${s":                     "line 1, column 4: expected } after the reference",
		"#* x":                    "line 1, column 1: the comment has no end",
		"$s.a(":                   "line 1, column 6: expected )",
		"#if":                     "line 1, column 4: expected ( after #if",
	} {
		if _, err := Compile(source); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
	for _, source := range []string{
		strings.Repeat("#if(true)", 5000), "#if(" + strings.Repeat("(", 100_000), "#set($x = " + strings.Repeat("[", 100_000), strings.Repeat("#if(!", 60_000),
		"#set($x=" + strings.Repeat("!", 100_000) + "1)", strings.Repeat("$a[", 100_000) + "#if(", strings.Repeat(`$a.b(`, 50_000), strings.Repeat("x", MaxSource+1),
	} {
		start := time.Now()
		if _, err := Compile(source); err == nil {
			t.Errorf("%.20s… was taken", source)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%.20s… took %v", source, d)
		}
	}
}

// TestBounds executes templates that loop or explode.
func TestBounds(t *testing.T) {
	tests := []struct {
		source string
		want   error
	}{
		{"#macro(m)#m()#end#m()", ErrDepth},
		{"#macro(m $a)#m($a)#m($a)#end#m(1)", ErrDepth},
		{"#define($d)$d#end$d", ErrDepth},
		{`#set($x = 'aaaaaaaa')#foreach($i in [1..100])#set($x = $x + $x)#end`, ErrMemory},
		{`#set($x = 'aaaaaaaa')#foreach($i in [1..100])#set($x = "$x$x")#end`, ErrOutput},
		{`#set($x = 'aaaaaaaa')#foreach($i in [1..100])#set($x = $x.replaceAll('a', 'aaaaaaaaaaaaaaaaaaaaaa'))#end`, ErrSteps},
		{`#set($x = 'aaaaaaaa')#foreach($i in [1..100])#set($x = $x.replace('a', $x))#end`, ErrMemory},
		{`#set($x = 'a'.repeat(10))#set($y = 'a')$y.repeat(2000000000)`, nil},
		{`#set($y = 'a')$y.repeat(2000000000)`, ErrMemory},
		{"#set($r = [0..2000000000])", ErrMemory},
		{"#set($l = [])#set($x = $l.add($l))$l", ErrMemory},
		{"#set($l = [])#set($x = $l.add($l))#if($l == $l)#end$l.hashCode()", ErrMemory},
		{"#set($l = ['a'])#foreach($i in [1..40])#set($l = [$l, $l])#end$l", ErrMemory},
		{"#set($l = [1])#foreach($i in [1..100])#set($x = $l.addAll($l))#end", ErrMemory},
		{"#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])#set($x = 1)#end#end#end", ErrSteps},
		{"#foreach($a in [1..1000])#foreach($b in [1..1000])0123456789012345678901234567890123456789#end#end", ErrOutput},
		{"#set($x = 9)#foreach($i in [1..100])#set($x = $x * $x)#end", ErrMemory},
	}
	for _, tt := range tests {
		start := time.Now()
		_, err := run(t, tt.source, Limits{})
		if !errors.Is(err, tt.want) && !(tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.source, err, tt.want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", tt.source, d)
		}
	}
	if got, err := run(t, "#foreach($i in [1..5000])x#end", Limits{}); len(got) != 1000 || err != nil {
		t.Error("a loop of 5,000 made", len(got), err)
	}
	tpl, err := Compile("#foreach($a in [1..1000])#foreach($b in [1..1000])$a#end#end")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tpl.Execute(ctx, nil, Limits{}); !errors.Is(err, context.Canceled) {
		t.Error("a template outlives its caller:", err)
	}
}

func TestRuntimeErrors(t *testing.T) {
	for source, want := range map[string]string{
		"$s.substring(9)":               "$s.substring(9): StringIndexOutOfBoundsException",
		"$doc.list.get(3)":              "$doc.list.get(3): IndexOutOfBoundsException",
		"#set($i = 0)$i.parseInt('x')":  `$i.parseInt('x'): NumberFormatException: For input string: "x"`,
		"$s.matches('(?=x)')":           "is not supported",
		"#set($s.x = 1)":                "$s.x: cannot be set",
		"$input.path('$[')":             "expected a name",
		"$s.replaceAll('l', '$7')":      "illegal group reference",
		`$s.format("%99999999999d", 1)`: "UnknownFormatConversionException",
	} {
		if _, err := run(t, source, Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", source, err, want)
		}
	}
}

// FuzzTemplate looks for a template that the compiler or an execution cannot stand. The limits are small: what
// matters is that all ends.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"#set($x = [1..3])#foreach($i in $x)$i#if($foreach.hasNext),#end#end", "#macro(m $a)$a#end#m('x')", `#set($m = {"a": "b$c"})$m.a.substring(1,$n)`,
		"${a.b('c', 1.5)[0]}", "\\$x #{if}(true)#{end}", "$s.replaceAll('(.)', '$1')", "#define($d)x#end$d", "#[[x]]# #*c*# ##\n", "$doc.list.subList(0,2) $s.format('%s', 1)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tpl, err := Compile(source)
		if err != nil {
			return
		}
		doc, err := jsonpath.Decode([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := tpl.Execute(t.Context(), map[string]any{"input": input{doc}, "s": "Hello", "doc": doc, "n": int64(1)}, Limits{Steps: 10_000, Output: 10_000, Memory: 100_000})
		if len(out) > 10_000 {
			t.Fatal("more than allowed:", len(out))
		}
	})
}

func BenchmarkExecute(b *testing.B) {
	doc, err := jsonpath.Decode([]byte(document))
	if err != nil {
		b.Fatal(err)
	}
	for name, source := range map[string]string{
		"small":  `{"id": "$input.path('$.name')", "n": $doc.n}`,
		"photos": `#foreach($e in $doc.photos.photo){"id": "$e.id", "title": "$e.title"}#if($foreach.hasNext),#end#end`,
		"loop":   `#foreach($i in [1..100])#set($x = $i * 2 + 1)#if($x % 3 == 0)$x#end#end`,
	} {
		tpl, err := Compile(source)
		if err != nil {
			b.Fatal(err)
		}
		vars := map[string]any{"input": input{doc}, "doc": doc}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tpl.Execute(b.Context(), vars, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(`#foreach($e in $doc.photos.photo){"id": "$e.id", "title": "$e.title"}#if($foreach.hasNext),#end#end`); err != nil {
			b.Fatal(err)
		}
	}
}

// slow is an Object whose methods take their time, and make much.
type slow struct{ calls *int }

func (slow) Property(string) any { return nil }

func (o slow) Call(name string, args []any) (any, bool, error) {
	*o.calls++
	switch name {
	case "make":
		return strings.Repeat("x", 1<<20), true, nil
	case "parse":
		return &jsonpath.Object{}, true, nil
	}
	time.Sleep(10 * time.Millisecond)
	return nil, true, nil
}

// TestObjectBounds calls methods of the caller's in loops: each is one step, and may be much work.
func TestObjectBounds(t *testing.T) {
	for _, tt := range []struct {
		call string
		want error
		most int
		time time.Duration
	}{{"$o.make()", ErrMemory, 65, time.Minute}, {"$o.parse($text)", ErrMemory, 65, time.Minute}, {"$o.wait()", ErrTime, 30, 200 * time.Millisecond}} {
		calls := 0
		tpl, err := Compile("#foreach($i in [1..1000])#foreach($j in [1..1000])#set($x = " + tt.call + ")#end#end")
		if err != nil {
			t.Fatal(err)
		}
		_, err = tpl.Execute(t.Context(), map[string]any{"o": slow{&calls}, "text": strings.Repeat("x", 1<<20)}, Limits{Time: tt.time})
		if !errors.Is(err, tt.want) || calls > tt.most {
			t.Errorf("%s: %v after %d calls", tt.call, err, calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	tpl, err := Compile("$o.wait()$o.wait()$o.wait()")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.Execute(ctx, map[string]any{"o": slow{&calls}}, Limits{}); !errors.Is(err, context.Canceled) || calls > 1 {
		t.Error(err, calls)
	}
}
