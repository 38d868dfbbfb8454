package template

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolveParameters(t *testing.T) {
	lookup := func(name string) (string, bool, error) {
		switch name {
		case "/cdk-bootstrap/hnb659fds/version":
			return "33", true, nil
		case "/list":
			return "a,b", true, nil
		case "/broken":
			return "", false, errors.New("store is closed")
		}
		return "", false, nil
	}
	tests := []struct {
		name, def string
		given     map[string]string
		want      any // value of P, or the error's message as error
	}{
		{"default", "{Type: String, Default: x}", nil, "x"},
		{"given", "{Type: String, Default: x}", map[string]string{"P": "y"}, "y"},
		{"empty text is a value", "{Type: String, Default: x}", map[string]string{"P": ""}, ""},
		{"missing", "{Type: String}", nil, errors.New("Parameters: [P] must have values")},
		{"too many", "{Type: String}", map[string]string{"P": "", "Z": "", "Q": ""}, errors.New("Parameters: [Q, Z] do not exist in the template")},
		{"number", "{Type: Number, Default: 1.10}", nil, "1.10"},
		{"no number", "{Type: Number}", map[string]string{"P": "ten"}, errors.New("Parameter 'P' must be a number")},
		{"hex is no number", "{Type: Number}", map[string]string{"P": "0x10"}, errors.New("Parameter 'P' must be a number")},
		{"infinite is no number", "{Type: Number}", map[string]string{"P": "Inf"}, errors.New("Parameter 'P' must be a number")},
		{"too small", "{Type: Number, MinValue: 5}", map[string]string{"P": "4.9"}, errors.New("Parameter 'P' must be a number not less than 5")},
		{"too large", "{Type: Number, MaxValue: 5}", map[string]string{"P": "5.1"}, errors.New("Parameter 'P' must be a number not greater than 5")},
		{"list of numbers", "{Type: List<Number>, MinValue: 1}", map[string]string{"P": "1, 20"}, []any{"1", "20"}},
		{"list of numbers with a word", "{Type: List<Number>}", map[string]string{"P": "1,x"}, errors.New("Parameter 'P' must be a number")},
		{"comma-delimited", "{Type: CommaDelimitedList, Default: 'a, b ,c'}", nil, []any{"a", "b", "c"}},
		{"subnets", "{Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1,subnet-2'}", nil, []any{"subnet-1", "subnet-2"}},
		{"AWS type", "{Type: 'AWS::EC2::KeyPair::KeyName', Default: key}", nil, "key"},
		{"allowed", "{Type: String, AllowedValues: [a, b]}", map[string]string{"P": "b"}, "b"},
		{"allowed numbers", "{Type: Number, AllowedValues: [1, 2], Default: 1}", nil, "1"},
		{"not allowed", "{Type: String, AllowedValues: [a, b]}", map[string]string{"P": "c"}, errors.New("Parameter 'P' must be one of AllowedValues")},
		{"default not allowed", "{Type: String, AllowedValues: [a, b], Default: c}", nil, errors.New("Parameter 'P' must be one of AllowedValues")},
		{"element not allowed", "{Type: CommaDelimitedList, AllowedValues: [a, b]}", map[string]string{"P": "a,c"}, errors.New("Parameter 'P' must be one of AllowedValues")},
		{"pattern", "{Type: String, AllowedPattern: '[A-Z]+'}", map[string]string{"P": "ABC"}, "ABC"},
		{"pattern holds for the whole", "{Type: String, AllowedPattern: '[A-Z]+|x'}", map[string]string{"P": "ABCd"}, errors.New("Parameter 'P' must match pattern [A-Z]+|x")},
		{"description of the constraint", "{Type: String, AllowedPattern: '[A-Z]+', ConstraintDescription: must be upper-case}", map[string]string{"P": "a"}, errors.New("Parameter 'P' failed to satisfy constraint: must be upper-case")},
		{"too short", "{Type: String, MinLength: 3}", map[string]string{"P": "éa"}, errors.New("Parameter 'P' must contain at least 3 characters")},
		{"too long", "{Type: String, MaxLength: 3}", map[string]string{"P": "abcd"}, errors.New("Parameter 'P' must contain at most 3 characters")},
		{"from the store", "{Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}", nil, "33"},
		{"list from the store", "{Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /list}", nil, []any{"a", "b"}},
		{"not in the store", "{Type: 'AWS::SSM::Parameter::Value<String>', Default: /nope}", nil, errors.New("Unable to fetch parameters [/nope] from parameter store for this account.")},
		{"store fails", "{Type: 'AWS::SSM::Parameter::Value<String>', Default: /broken}", nil, errors.New("parameter P: store is closed")},
		{"name of a stored one", "{Type: 'AWS::SSM::Parameter::Name', Default: /nope}", nil, "/nope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tpl, err := Parse([]byte(oneResource + "Parameters: {P: " + tt.def + "}"))
			if err != nil {
				t.Fatal(err)
			}
			params, err := tpl.ResolveParameters(tt.given, lookup)
			if want, ok := tt.want.(error); ok {
				got := fmt.Sprint(err)
				if te, ok := err.(*Error); ok {
					got = te.Message
				}
				if got != want.Error() {
					t.Errorf("got %v, want %v", got, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, params["P"].Value); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestNoEcho: a value that must not be shown is in no error either.
func TestNoEcho(t *testing.T) {
	tpl, err := Parse([]byte(oneResource + "Parameters: {P: {Type: String, NoEcho: true, AllowedPattern: '[a-z]+'}}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tpl.ResolveParameters(map[string]string{"P": "s3cret"}, nil); err == nil || fmt.Sprint(err) != "Parameter 'P' must match pattern [a-z]+ (line 2, column 17)" {
		t.Errorf("got %v", err)
	}
	params, err := tpl.ResolveParameters(map[string]string{"P": "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := params["P"].Display(); got != "****" {
		t.Errorf("Display shows %s", got)
	}
}
