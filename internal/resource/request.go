package resource

import (
	"crypto/sha256"
	"maps"
	"math/big"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// With returns props with more set; where both have a property, more's counts. With(defaults, r.Props)
// fills in what a template leaves open.
func With(props, more map[string]any) map[string]any {
	out := make(map[string]any, len(props)+len(more))
	maps.Copy(out, props)
	maps.Copy(out, more)
	return out
}

// Gone returns nil for an error with the code that says that something is not there, which is what a
// Delete wants, and err otherwise.
func Gone(err error, code string) error {
	if shape.HasCode(err, code) {
		return nil
	}
	return err
}

// AllTags returns the tags that a resource should have: those of the property, in either of CloudFormation's
// forms, and of the stack's those that the property does not set.
func (r *Request) AllTags(property string) (map[string]string, error) {
	own, err := Tags(r.Props[property])
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(r.Tags)+len(own))
	maps.Copy(out, r.Tags)
	maps.Copy(out, own)
	return out, nil
}

// Retags tells whether an update gives the resource other tags than it had.
func (r *Request) Retags(property string) bool {
	return r.TagsChanged || !Equal(r.OldProps[property], r.Props[property])
}

// ID returns up to 24 characters of an alphabet that follow from the request's token: an id that a step
// which is run again makes again. The first is drawn from first, if that is not "".
func (r *Request) ID(first, alphabet string, n int) string {
	sum := sha256.Sum256([]byte(r.StackID + "\x00" + r.LogicalID + "\x00" + r.Token))
	num, rest := new(big.Int).SetBytes(sum[:]), new(big.Int)
	out := make([]byte, n)
	for i := range out {
		from := alphabet
		if i == 0 && first != "" {
			from = first
		}
		num.DivMod(num, big.NewInt(int64(len(from))), rest)
		out[i] = from[rest.Int64()]
	}
	return string(out)
}
