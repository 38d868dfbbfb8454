package stacks

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// errStale is returned where a stack was changed between planning and beginning.
var errStale = errors.New("stacks: the stack was changed meanwhile")

// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html, StackName
var namePattern = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", name)
	}
	if len(name) > 128 {
		return invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to 128", name)
	}
	return nil
}

// newStack makes the record of a stack that does not exist yet.
func (s *Service) newStack(ctx context.Context, name string) *Stack {
	c := s.callerOf(ctx)
	st := &Stack{Name: name, Region: c.Region, Account: c.Account, Partition: c.Partition, Created: s.o.Now().UnixMilli()}
	st.ID = arn.ARN{
		Partition: c.Partition, Service: "cloudformation", Region: c.Region, Account: c.Account,
		Resource: "stack/" + name + "/" + ident.UUID(),
	}.String()
	return st
}

// wish is what a request wants a stack to become; CreateStack, UpdateStack and CreateChangeSet have it
// in common.
type wish struct {
	body, url    *string
	previous     bool // use the previous template
	params       []cfn.Parameter
	tags         []cfn.Tag // nil: as they are
	capabilities []string
	role         *string
	changeSet    bool
}

// proposal is a wish that was found good.
type proposal struct {
	desired *desired
	target  *Target
	plan    *plan
	tags    bool // they differ
	changed bool // anything does
}

// propose checks a wish against a stack and its resources.
func (s *Service) propose(ctx context.Context, st *Stack, rows map[string]*Resource, w wish) (*proposal, error) {
	text, err := s.wishedText(ctx, st, w)
	if err != nil {
		return nil, err
	}
	given, err := s.givenParameters(w.params, st.Params)
	if err != nil {
		return nil, err
	}
	role := st.RoleARN
	if w.role != nil {
		role = *w.role
	}
	if ctx, err = s.as(ctx, st, role); err != nil {
		return nil, err
	}
	text, includes, err := s.included(ctx, text, given, pseudo(st))
	if err != nil {
		return nil, asInvalid(err)
	}
	d, err := s.compile(text, given, s.lookupParameter(ctx), pseudo(st))
	if err != nil {
		return nil, asInvalid(err)
	}
	d.includes = includes
	if err := checkCapabilities(d, w.capabilities, w.changeSet); err != nil {
		return nil, err
	}
	t := &Target{
		Template: templateID(st.ID, text), Description: d.source.Description, Params: s.storedParams(d),
		Tags: st.Tags, Capabilities: w.capabilities, RoleARN: role,
	}
	if w.tags != nil {
		if t.Tags, err = readTags(w.tags); err != nil {
			return nil, err
		}
	}
	p := &proposal{desired: d, target: t, tags: !sameTags(t.Tags, st.Tags)}
	if p.plan, err = s.plan(ctx, st, rows, d, p.tags); err != nil {
		return nil, asInvalid(err)
	}
	t.Imports = p.plan.imports
	p.changed = p.tags || p.plan.changes(st) || !s.sameParams(t.Params, st.Params)
	return p, nil
}

func (s *Service) wishedText(ctx context.Context, st *Stack, w wish) ([]byte, error) {
	if !w.previous {
		text, err := s.templateText(ctx, w.body, w.url)
		if err == nil && text == nil {
			err = invalid("Either Template URL or Template Body must be specified.")
		}
		return text, err
	}
	if w.body != nil || w.url != nil {
		return nil, invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL.")
	}
	if st.Template == "" {
		return nil, invalid("usePreviousTemplate can only be used with a stack that has a template.")
	}
	t, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Template, error) { return templates.Get(tx, st.Template) })
	if err != nil {
		return nil, err
	}
	return t.Text, nil
}

func sameTags(a, b []Tag) bool {
	order := func(x, y Tag) int { return strings.Compare(x.Key, y.Key) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(a, b)
}

// begin makes an operation durable and runs it. st is as it was read, but for its new status; fresh says
// that it does not exist yet. f may add to the transaction.
func (s *Service) begin(ctx context.Context, st *Stack, op *Operation, rows map[string]*Resource, p *proposal, fresh bool, f func(tx *store.Tx) error) (*run, error) {
	op.Call = s.callerOf(ctx)
	if op.ID == "" { // else its rollback goes on
		op.ID, op.Phase = ident.UUID(), forward
	}
	rev := st.Rev
	st.Rev++
	if op.Token != "" {
		st.Tokens = append(st.Tokens, Token{op.Token, op.Kind})
		st.Tokens = st.Tokens[max(0, len(st.Tokens)-maxTokens):]
	}
	var d *desired
	if p != nil {
		d = p.desired
	}
	now := s.o.Now().UnixMilli()
	err := s.o.DB.Update(ctx, func(tx *store.Tx) error {
		if fresh {
			err := stacks.Insert(tx, stackKey(st), st)
			if errors.Is(err, store.ErrExists) {
				return cfn.AlreadyExistsException("Stack [%s] already exists", st.Name)
			}
			if err != nil {
				return err
			}
		} else {
			cur, err := stacks.Get(tx, st.ID)
			if errors.Is(err, store.ErrNotFound) || err == nil && cur.Rev != rev {
				return errStale
			}
			if err != nil {
				return err
			}
			if err := stacks.Put(tx, stackKey(st), st); err != nil {
				return err
			}
		}
		if d != nil {
			if _, err := putTemplate(tx, st.ID, d.text); err != nil {
				return err
			}
			for _, name := range op.Target.Imports {
				if _, _, err := exportValue(tx, st.Region, name); errors.Is(err, store.ErrNotFound) {
					return invalid("No export named %s found.", name)
				} else if err != nil {
					return err
				}
			}
			if err := addImports(tx, st.Region, st.ID, op.Target.Imports); err != nil {
				return err
			}
		}
		if err := s.putOperation(tx, st.ID, op); err != nil {
			return err
		}
		if err := s.putEvents(tx, st.ID, []*Event{stackEvent(st, now, op.Token)}); err != nil {
			return err
		}
		if f != nil {
			return f(tx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := s.newRun(st, op, rows, d)
	s.launch(r)
	return r, nil
}

// create begins the creation of a stack.
func (s *Service) create(ctx context.Context, st *Stack, op *Operation, p *proposal, fresh bool, f func(tx *store.Tx) error) (*run, error) {
	op.Kind, op.Target = opCreate, p.target
	t := p.target
	st.Status, st.Reason = op.word(cfn.StackStatusCreateInProgress), reasonUser
	st.Template, st.Description, st.Params, st.Tags = t.Template, t.Description, t.Params, t.Tags
	st.Capabilities, st.Imports, st.RoleARN = t.Capabilities, t.Imports, t.RoleARN
	if st.TimeoutMinutes > 0 {
		op.Deadline = s.o.Now().UnixMilli() + st.TimeoutMinutes*60_000
	}
	return s.begin(ctx, st, op, map[string]*Resource{}, p, fresh, f)
}

// update begins the update of a stack.
func (s *Service) update(ctx context.Context, st *Stack, op *Operation, rows map[string]*Resource, p *proposal, f func(tx *store.Tx) error) (*run, error) {
	op.Kind, op.Target, op.TagsChanged = opUpdate, p.target, p.tags
	st.Status, st.Reason = op.word(cfn.StackStatusUpdateInProgress), reasonUser
	st.Updated = s.o.Now().UnixMilli()
	return s.begin(ctx, st, op, rows, p, false, f)
}

// current reads a living stack with its resources.
func (s *Service) current(ctx context.Context, region, name string) (st *Stack, rows map[string]*Resource, err error) {
	err = s.o.DB.View(ctx, func(tx *store.Tx) error {
		if st, err = lookup(tx, region, name); err != nil {
			return err
		}
		if st.Deleted != 0 {
			return store.ErrNotFound
		}
		list, err := s.resources(tx, st.ID, "", 0)
		rows = byLogical(list)
		return err
	})
	return st, rows, err
}

// checkToken looks whether a request was made before. done says that it was; the same token for another
// operation is an error.
func checkToken(st *Stack, token *string, operation string) (done bool, err error) {
	for _, t := range st.Tokens {
		if t.Token == shape.Val(token) {
			if t.Operation != operation {
				return false, cfn.TokenAlreadyExistsException("Token %s was already used for another operation", t.Token)
			}
			return true, nil
		}
	}
	return false, nil
}

// retry runs f again while it finds that a stack was changed between planning and beginning.
func retry(f func() error) error {
	for range 5 {
		if err := f(); !errors.Is(err, errStale) && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return shape.Errorf("OperationInProgressException", 400, "The stack is being changed by other requests. Try again.")
}

// signalTo leaves a signal for the operation of a stack and wakes it if it runs here.
func (s *Service) signalTo(tx *store.Tx, stackID, signal string) error {
	n, err := tx.Exec("UPDATE stack_operations SET signal = $1 WHERE stack_id = $2", signal, stackID)
	if err == nil && n == 0 {
		err = errStale
	}
	tx.AfterCommit(func() {
		if r := s.running(stackID); r != nil {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
	})
	return err
}

// running returns the operation of a stack that runs in this process, or nil.
func (s *Service) running(stackID string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[stackID]
}
