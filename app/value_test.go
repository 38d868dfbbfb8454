package app

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestValue(t *testing.T) {
	id := GetAtt("Q", "Arn")
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"text", Value("a ${b} <c>"), `"a ${b} <c>"`},
		{"nothing", Value(""), `""`},
		{"Ref", Ref("Q"), `{"Ref":"Q"}`},
		{"GetAtt", id, `{"Fn::GetAtt":["Q","Arn"]}`},
		{"dotted attribute", GetAtt("Q", "A.B"), `{"Fn::GetAtt":["Q","A.B"]}`},
		{"sum", "x" + id + "/*", `{"Fn::Sub":"x${Q.Arn}/*"}`},
		{"two", Ref("Q") + Region(), `{"Fn::Sub":"${Q}${AWS::Region}"}`},
		{"sum with ${", "${x}" + id, `{"Fn::Join":["",["${x}",{"Fn::GetAtt":["Q","Arn"]}]]}`},
		{"sum with $", "$" + id, `{"Fn::Join":["",["$",{"Fn::GetAtt":["Q","Arn"]}]]}`},
		{"Sprintf", Value(fmt.Sprintf("%s/%d", id, 7)), `{"Fn::Sub":"${Q.Arn}/7"}`},
		{"string", "x" + string(id), `{"Fn::Sub":"x${Q.Arn}"}`},
		{"Sub", Sub("a-${Q}-${Q.Arn}-${!c}"), `{"Fn::Join":["",["a-",{"Ref":"Q"},"-",{"Fn::GetAtt":["Q","Arn"]},"-${c}"]]}`},
		{"Sub without references", Sub("abc"), `"abc"`},
		{"Sub with a map", Fn("Fn::Sub", []any{"${x}-${Q}", map[string]any{"x": id}}), `{"Fn::Sub":["${x}-${Q}",{"x":{"Fn::GetAtt":["Q","Arn"]}}]}`},
		{"Join", Join(", ", "a", id, "b"), `{"Fn::Sub":"a, ${Q.Arn}, b"}`},
		{"If", If("C", "x"+id, NoValue()), `{"Fn::If":["C",{"Fn::Sub":"x${Q.Arn}"},{"Ref":"AWS::NoValue"}]}`},
		{"nested twice", "a" + If("C", If("C", Ref("Q"), "b"), ""), `{"Fn::Join":["",["a",{"Fn::If":["C",{"Fn::If":["C",{"Ref":"Q"},"b"]},""]}]]}`},
		{"Fn", Fn("Fn::Select", []any{1, []Value{"a", id}}), `{"Fn::Select":[1,["a",{"Fn::GetAtt":["Q","Arn"]}]]}`},
		{"written out", Properties{"Fn::GetAtt": []string{"Q", "Arn"}}, `{"Fn::GetAtt":["Q","Arn"]}`},
		{"written out, dotted", Properties{"Fn::GetAtt": "Q.Arn"}, `{"Fn::GetAtt":["Q","Arn"]}`},
		{"deep", Properties{"a": []map[string]Value{{"b": id}}, "n": int8(3), "f": 1.5, "t": true, "z": nil}, `{"a":[{"b":{"Fn::GetAtt":["Q","Arn"]}}],"f":1.5,"n":3,"t":true,"z":null}`},
		{"quotes in names", GetAtt("Q", `a"b`), `{"Fn::GetAtt":["Q","a\"b"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRenderer()
			out := r.value("", test.v)
			if len(r.errs) > 0 {
				t.Fatal(r.errs)
			}
			var want any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(out)
			norm, _ := json.Marshal(want)
			if string(got) != string(norm) {
				t.Errorf("got %s, want %s", got, norm)
			}
		})
	}
}
