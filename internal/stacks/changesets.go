package stacks

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/template"
)

// ChangeSet is a planned creation or update of a stack.
type ChangeSet struct {
	ID, Name, StackID, StackName string

	Type           string // CREATE, UPDATE or IMPORT
	Description    string
	Created        int64 // epoch milliseconds
	Status         string
	Reason         string
	Execution      string
	Token          string
	OnFailure      string
	ImportExisting bool
	Import         map[string]string `json:",omitempty"` // physical ids by logical ids
	Target         *Target
	Changes        []byte // []cfn.Change with property values; see [Service.encode]
}

var changeSets = store.Kind[ChangeSet]{Name: "stacks.changeset"}

// noChanges is the reason of a change set that would do nothing; tools look for it.
const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// context says what the changes are, for sealing.
func (c *ChangeSet) context() string { return "stacks.changes/" + c.ID }

func changeSetKey(c *ChangeSet) store.Key {
	return store.Key{ID: c.ID, Parent: c.StackID, Name: c.Name}
}

// endChangeSet notes how the execution of a change set has ended.
func endChangeSet(tx *store.Tx, stackID, id string, ok bool) error {
	if id == "" {
		return nil
	}
	c, err := changeSets.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.Execution = cfn.ExecutionStatusExecuteComplete; !ok {
		c.Execution = cfn.ExecutionStatusExecuteFailed
	}
	return changeSets.Put(tx, changeSetKey(c), c)
}

// dropChangeSets deletes the change sets of a stack that is deleted.
func dropChangeSets(tx *store.Tx, stackID string) error {
	_, err := changeSets.DeleteAll(tx, stackID)
	return err
}

// obsolete marks the change sets of a stack that is updated by other means, and deletes those that can
// not be executed any more if the stack goes on with one of them.
func obsolete(tx *store.Tx, stackID, executed string) error {
	list, _, err := changeSets.List(tx, stackID, "", 0)
	if err != nil {
		return err
	}
	for _, c := range list {
		switch {
		case c.ID == executed:
			c.Execution = cfn.ExecutionStatusExecuteInProgress
		case executed != "":
			if err := changeSets.Delete(tx, c.ID); err != nil {
				return err
			}
			continue
		case c.Execution == cfn.ExecutionStatusAvailable:
			c.Execution = cfn.ExecutionStatusObsolete
		default:
			continue
		}
		if err := changeSets.Put(tx, changeSetKey(c), c); err != nil {
			return err
		}
	}
	return nil
}

// describe turns a plan into the changes that a change set shows. hidden are values that must not be
// shown: those of parameters with NoEcho that resources were made with.
func (p *plan) describe(hidden []string) []cfn.Change {
	var out []cfn.Change
	for _, it := range p.items {
		if it.row != nil {
			it.before, _ = hide(it.row.Props, hidden).(map[string]any)
		}
		if it.action == actNone {
			continue
		}
		c := &cfn.ResourceChange{
			Action: ptr(string(it.action)), LogicalResourceId: ptr(it.logical), ResourceType: ptr(it.typ),
			Scope: []string{}, Details: []cfn.ResourceChangeDetail{},
		}
		switch it.action {
		case actAdd:
			c.AfterContext = it.context(it.shown, it.spec.metadata)
		case actRemove:
			c.PhysicalResourceId = ptr(it.row.Physical)
			c.BeforeContext = it.context(it.before, it.row.Metadata)
			c.PolicyAction = ptr("Delete")
			if it.row.OnDelete == "Retain" || it.row.OnDelete == "RetainExceptOnCreate" {
				c.PolicyAction = ptr("Retain")
			}
		case actModify:
			it.modify(c)
		}
		out = append(out, cfn.Change{Type: ptr("Resource"), ResourceChange: c})
	}
	return out
}

// modify fills in the details of a change to a resource that exists.
func (it *item) modify(c *cfn.ResourceChange) {
	c.PhysicalResourceId = ptr(it.row.Physical)
	c.BeforeContext = it.context(it.before, it.row.Metadata)
	c.AfterContext = it.context(it.shown, it.spec.metadata)
	replacement := cfn.ReplacementFalse
	for _, ch := range it.changes {
		value := it.props[ch.Property]
		causes := unknowns(value, nil)
		d := cfn.ResourceChangeDetail{
			Target: &cfn.ResourceTargetDefinition{
				Attribute: ptr(cfn.ResourceAttributeProperties), Name: ptr(ch.Property),
				RequiresRecreation: ptr(ch.Replace.String()), Path: ptr("/Properties/" + ch.Path),
				BeforeValue: valueText(it.before[ch.Property]), AfterValue: valueText(it.shown[ch.Property]),
				AttributeChangeType: ptr("Modify"),
			},
			Evaluation: ptr(cfn.EvaluationTypeStatic), ChangeSource: ptr(cfn.ChangeSourceDirectModification),
		}
		if _, had := it.row.Props[ch.Property]; !had {
			d.Target.AttributeChangeType = ptr("Add")
		} else if _, has := it.props[ch.Property]; !has {
			d.Target.AttributeChangeType = ptr("Remove")
		}
		if len(causes) > 0 {
			d.Evaluation, d.ChangeSource, d.CausingEntity = ptr(cfn.EvaluationTypeDynamic), ptr(cfn.ChangeSourceResourceReference), ptr(causes[0].Logical)
			if causes[0].Attr != "" {
				d.ChangeSource, d.CausingEntity = ptr(cfn.ChangeSourceResourceAttribute), ptr(causes[0].Logical+"."+causes[0].Attr)
			}
		}
		switch {
		case ch.Replace == resource.Always && len(causes) == 0:
			replacement = cfn.ReplacementTrue
		case ch.Replace != resource.Never && replacement == cfn.ReplacementFalse:
			replacement = cfn.ReplacementConditional
		}
		c.Details = append(c.Details, d)
	}
	other := func(attribute string) {
		c.Scope = append(c.Scope, attribute)
		c.Details = append(c.Details, cfn.ResourceChangeDetail{
			Target:     &cfn.ResourceTargetDefinition{Attribute: ptr(attribute), RequiresRecreation: ptr(cfn.RequiresRecreationNever)},
			Evaluation: ptr(cfn.EvaluationTypeStatic), ChangeSource: ptr(cfn.ChangeSourceDirectModification),
		})
	}
	if len(it.changes) > 0 {
		c.Scope = append(c.Scope, cfn.ResourceAttributeProperties)
	}
	if it.metadata {
		other(cfn.ResourceAttributeMetadata)
	}
	if it.tags {
		other(cfn.ResourceAttributeTags)
	}
	for _, attribute := range it.policies {
		other(attribute)
	}
	if it.typ == stackType && len(it.changes) == 0 { // what its template holds is seen when it is updated
		c.Scope = append(c.Scope, cfn.ResourceAttributeProperties)
		c.Details = append(c.Details, cfn.ResourceChangeDetail{
			Target:     &cfn.ResourceTargetDefinition{Attribute: ptr(cfn.ResourceAttributeProperties), RequiresRecreation: ptr(cfn.RequiresRecreationNever)},
			Evaluation: ptr(cfn.EvaluationTypeDynamic), ChangeSource: ptr(cfn.ChangeSourceAutomatic),
		})
	}
	c.Replacement = ptr(replacement)
	if replacement == cfn.ReplacementTrue {
		if c.PolicyAction = ptr("ReplaceAndDelete"); it.spec.onReplace == "Retain" {
			c.PolicyAction = ptr("ReplaceAndRetain")
		}
	}
}

// context is a resource as a whole, for those who ask for property values.
func (it *item) context(props map[string]any, metadata string) *string {
	doc := map[string]any{"Properties": props}
	if metadata != "" {
		doc["Metadata"] = json.RawMessage(metadata)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	return ptr(string(data))
}

// hide replaces values in all strings of v.
func hide(v any, hidden []string) any {
	if len(hidden) == 0 {
		return v
	}
	switch v := v.(type) {
	case string:
		for _, h := range hidden {
			v = strings.ReplaceAll(v, h, "****")
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = hide(e, hidden)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = hide(e, hidden)
		}
		return out
	}
	return v
}

// hiddenValues returns the values of a stack's parameters with NoEcho, the longest first.
func (s *Service) hiddenValues(st *Stack) ([]string, error) {
	var out []string
	for _, p := range st.Params {
		if !p.NoEcho {
			continue
		}
		v, err := s.paramValue(p)
		if err != nil {
			return nil, err
		}
		if v != "" {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out, nil
}

// valueText returns a property as change sets show it; nil if there is none.
func valueText(v any) *string {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return &v
	case template.Unknown:
		return ptr(v.String())
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return ptr(string(data))
}

// unknowns collects what is known only later.
func unknowns(v any, out []template.Unknown) []template.Unknown {
	switch v := v.(type) {
	case template.Unknown:
		out = append(out, v)
	case []any:
		for _, e := range v {
			out = unknowns(e, out)
		}
	case map[string]any:
		for _, e := range v {
			out = unknowns(e, out)
		}
	}
	slices.SortFunc(out, func(a, b template.Unknown) int { return strings.Compare(a.Logical+"."+a.Attr, b.Logical+"."+b.Attr) })
	return out
}

func ptr[T any](v T) *T { return &v }
