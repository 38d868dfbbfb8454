package stacks

import (
	"context"
	"errors"
	"slices"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// An operation that ended half-way is kept with its stack, so that its rollback can be gone on with.

// keepUnfinished keeps the operation if status is one that a rollback can go on from.
func (r *run) keepUnfinished(status string) {
	r.stack.Unfinished = nil
	switch status {
	case cfn.StackStatusCreateFailed, cfn.StackStatusUpdateFailed, cfn.StackStatusUpdateRollbackFailed:
		op := *r.op
		op.Token = ""
		r.stack.Unfinished = &op
	}
}

// rollBack goes on with the rollback of a stack's last operation, or begins it. skip are resources that count as
// rolled back as they are.
func (s *Service) rollBack(ctx context.Context, st *Stack, rows map[string]*Resource, role, token *string, skip []string) (*run, error) {
	if st.Unfinished == nil {
		return nil, invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
	}
	op := *st.Unfinished
	op.Token, op.Attempts, op.Deadline, op.Phase = shape.Val(token), 0, 0, rollback
	if op.Failure == "" {
		op.Failure = reasonUser
	}
	if role != nil {
		st.RoleARN = *role
		if op.Target != nil {
			t := *op.Target
			t.RoleARN = *role
			op.Target = &t
		}
	}
	if _, err := s.as(ctx, st, st.RoleARN); err != nil {
		return nil, err
	}
	var skipped []*Resource
	for _, id := range skip {
		if strings.Contains(id, ".") {
			return nil, refused("ResourcesToSkip "+id, "go on with the rollback of the nested stack itself")
		}
		row := rows[id]
		if row == nil || row.Old == nil || !row.dirty() {
			return nil, invalid("ResourcesToSkip: resource %s is not in the UPDATE_FAILED state", id)
		}
		if row.replaced() {
			failed := row.State
			row.Doomed = append(row.Doomed, &failed)
		}
		row.State, row.Old = *row.Old, nil
		row.Step = &Step{Op: op.ID, Kind: stepRevert, Done: true}
		row.Status, row.Reason, row.Time = cfn.ResourceStatusUpdateComplete, "", s.o.Now().UnixMilli()
		skipped = append(skipped, row)
	}
	st.Status, st.Reason = cfn.StackStatusUpdateRollbackInProgress, reasonUser
	if op.Kind == opCreate {
		st.Status = cfn.StackStatusRollbackInProgress
	}
	st.Unfinished = nil
	return s.begin(ctx, st, &op, rows, nil, false, func(tx *store.Tx) error {
		for _, row := range skipped {
			if err := s.putResource(tx, st.ID, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// ContinueUpdateRollback goes on with a rollback that has failed.
func (s *Service) ContinueUpdateRollback(ctx context.Context, in *cfn.ContinueUpdateRollbackInput) (*cfn.ContinueUpdateRollbackOutput, error) {
	err := s.goBack(ctx, in.StackName, in.ClientRequestToken, []string{cfn.StackStatusUpdateRollbackFailed}, func(st *Stack, rows map[string]*Resource) (*run, error) {
		return s.rollBack(ctx, st, rows, in.RoleARN, in.ClientRequestToken, in.ResourcesToSkip)
	})
	return &cfn.ContinueUpdateRollbackOutput{}, err
}

// RollbackStack rolls back a stack whose creation or update has failed and was left as it is.
func (s *Service) RollbackStack(ctx context.Context, in *cfn.RollbackStackInput) (*cfn.RollbackStackOutput, error) {
	if err := checkDeployment(in.DeploymentConfig); err != nil {
		return nil, err
	}
	out := &cfn.RollbackStackOutput{}
	err := s.goBack(ctx, in.StackName, in.ClientRequestToken, []string{cfn.StackStatusCreateFailed, cfn.StackStatusUpdateFailed}, func(st *Stack, rows map[string]*Resource) (*run, error) {
		out.StackId = &st.ID
		if st.Unfinished != nil && in.RetainExceptOnCreate != nil {
			st.Unfinished.RetainExceptOnCreate = *in.RetainExceptOnCreate
		}
		return s.rollBack(ctx, st, rows, in.RoleARN, in.ClientRequestToken, nil)
	})
	return out, err
}

// goBack begins a rollback of a stack in one of some states.
func (s *Service) goBack(ctx context.Context, name string, token *string, from []string, begin func(*Stack, map[string]*Resource) (*run, error)) error {
	var running *run
	err := retry(func() error {
		st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, name)
		if errors.Is(err, store.ErrNotFound) {
			return noStackBracket(name)
		}
		if err != nil {
			return err
		}
		if token != nil && slices.ContainsFunc(st.Tokens, func(t Token) bool { return t.Token == *token }) {
			running = s.running(st.ID)
			return nil
		}
		if !slices.Contains(from, st.Status) {
			return invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
		}
		running, err = begin(st, rows)
		return err
	})
	if err == nil && running != nil {
		s.wait(ctx, running)
	}
	return err
}
