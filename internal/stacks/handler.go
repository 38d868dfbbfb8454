package stacks

import (
	"context"
	"errors"
	"slices"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// CreateStack makes a stack and its resources.
func (s *Service) CreateStack(ctx context.Context, in *cfn.CreateStackInput) (*cfn.CreateStackOutput, error) {
	if err := checkName(in.StackName); err != nil {
		return nil, err
	}
	if err := refuseExtras(extras{
		notificationARNs: in.NotificationARNs, rollback: in.RollbackConfiguration, resourceTypes: in.ResourceTypes,
		deployment: in.DeploymentConfig,
	}); err != nil {
		return nil, err
	}
	onFailure, err := failureMode(in.OnFailure, keepFailed(in.DisableRollback, in.DeploymentConfig))
	if err != nil {
		return nil, err
	}
	guard, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	if m := shape.Val(in.TimeoutInMinutes); in.TimeoutInMinutes != nil && m < 1 {
		return nil, invalid("1 validation error detected: Value '%d' at 'timeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 1", m)
	}
	region := wire.CallFrom(ctx).Region
	if old, _, err := s.current(ctx, region, in.StackName); err == nil {
		if in.ClientRequestToken != nil {
			if done, err := checkToken(old, in.ClientRequestToken, opCreate); done || err != nil {
				return &cfn.CreateStackOutput{StackId: &old.ID}, err
			}
		}
		return nil, cfn.AlreadyExistsException("Stack [%s] already exists", in.StackName)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	st := s.newStack(ctx, in.StackName)
	p, err := s.propose(ctx, st, nil, wish{
		body: in.TemplateBody, url: in.TemplateURL, params: in.Parameters, tags: orEmpty(in.Tags),
		capabilities: in.Capabilities, role: in.RoleARN,
	})
	if err != nil {
		return nil, err
	}
	st.OnFailure, st.TimeoutMinutes, st.Policy = onFailure, shape.Val(in.TimeoutInMinutes), shape.Val(guard)
	st.Protected, st.RetainExceptOnCreate = shape.Val(in.EnableTerminationProtection), shape.Val(in.RetainExceptOnCreate)
	op := &Operation{OnFailure: onFailure, Token: shape.Val(in.ClientRequestToken), RetainExceptOnCreate: st.RetainExceptOnCreate}
	r, err := s.create(ctx, st, op, p, true, nil)
	if err != nil {
		return nil, err
	}
	id := st.ID
	s.wait(ctx, r)
	return &cfn.CreateStackOutput{StackId: &id, OperationId: &op.ID}, nil
}

// UpdateStack brings a stack to another template, or other parameters or tags.
func (s *Service) UpdateStack(ctx context.Context, in *cfn.UpdateStackInput) (*cfn.UpdateStackOutput, error) {
	if err := refuseExtras(extras{
		notificationARNs: in.NotificationARNs, rollback: in.RollbackConfiguration, resourceTypes: in.ResourceTypes,
		deployment: in.DeploymentConfig,
	}); err != nil {
		return nil, err
	}
	onFailure, err := failureMode(nil, keepFailed(in.DisableRollback, in.DeploymentConfig))
	if err != nil {
		return nil, err
	}
	guard, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	during, err := s.policyText(ctx, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL)
	if err != nil {
		return nil, err
	}
	var out *cfn.UpdateStackOutput
	var running *run
	err = retry(func() error {
		st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, in.StackName)
		if errors.Is(err, store.ErrNotFound) {
			return noStackBracket(in.StackName)
		}
		if err != nil {
			return err
		}
		out = &cfn.UpdateStackOutput{StackId: shape.Ptr(st.ID)}
		if in.ClientRequestToken != nil {
			if done, err := checkToken(st, in.ClientRequestToken, opUpdate); done || err != nil {
				running = s.running(st.ID)
				return err
			}
		}
		if !updatable(st.Status) {
			return notUpdatable(st)
		}
		p, err := s.propose(ctx, st, rows, wish{
			body: in.TemplateBody, url: in.TemplateURL, previous: shape.Val(in.UsePreviousTemplate), params: in.Parameters,
			tags: in.Tags, capabilities: in.Capabilities, role: in.RoleARN,
		})
		if err != nil {
			return err
		}
		if !p.changed {
			return invalid("No updates are to be performed.")
		}
		op := &Operation{OnFailure: onFailure, Token: shape.Val(in.ClientRequestToken), RetainExceptOnCreate: shape.Val(in.RetainExceptOnCreate), Policy: shape.Val(during)}
		if guard != nil {
			st.Policy = *guard
		}
		running, err = s.update(ctx, st, op, rows, p, func(tx *store.Tx) error { return obsolete(tx, st.ID, "") })
		out.OperationId = &op.ID
		return err
	})
	if err != nil {
		return nil, err
	}
	if running != nil {
		s.wait(ctx, running)
	}
	return out, nil
}

func notUpdatable(st *Stack) error {
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

// DeleteStack deletes a stack and its resources. It is no error if there is none.
func (s *Service) DeleteStack(ctx context.Context, in *cfn.DeleteStackInput) (*cfn.DeleteStackResponse, error) {
	if err := checkDeployment(in.DeploymentConfig); err != nil {
		return nil, err
	}
	var running *run
	err := retry(func() error {
		st, rows, err := s.current(ctx, wire.CallFrom(ctx).Region, in.StackName)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if in.ClientRequestToken != nil {
			if done, err := checkToken(st, in.ClientRequestToken, opDelete); done || err != nil {
				running = s.running(st.ID)
				return err
			}
		}
		running, err = s.remove(ctx, st, rows, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	if running != nil {
		s.wait(ctx, running)
	}
	return &cfn.DeleteStackResponse{}, nil
}

// remove begins the deletion of a stack, whatever its status.
func (s *Service) remove(ctx context.Context, st *Stack, rows map[string]*Resource, in *cfn.DeleteStackInput) (*run, error) {
	switch {
	case st.Protected:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	case st.Status == cfn.StackStatusDeleteInProgress:
		return s.running(st.ID), nil
	case inProgress(st.Status) && st.Status != cfn.StackStatusCreateInProgress:
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.ID, st.Status)
	}
	force := shape.Val(in.DeletionMode) == "FORCE_DELETE_STACK"
	if st.Status != cfn.StackStatusDeleteFailed {
		if force {
			return nil, invalid("Invalid operation on stack [%s]. You can activate DeletionMode FORCE_DELETE_STACK in a delete stack operation only when the stack is in the DELETE_FAILED state.", st.ID)
		}
		if len(in.RetainResources) > 0 {
			return nil, invalid("Invalid operation on stack [%s]. You can specify RetainResources in a delete stack operation only when the stack is in the DELETE_FAILED state.", st.ID)
		}
	}
	for _, id := range in.RetainResources {
		if rows[id] == nil {
			return nil, invalid("The specified resources to retain must be in a valid state. Resource %s is not in the stack.", id)
		}
		if !rows[id].Exists {
			return nil, invalid("The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state.")
		}
	}
	if err := s.o.DB.View(ctx, func(tx *store.Tx) error { return checkExports(tx, st, nil) }); err != nil {
		return nil, err
	}
	if st.Status == cfn.StackStatusCreateInProgress {
		// The creation is stopped and goes over into the deletion.
		err := s.o.DB.Update(ctx, func(tx *store.Tx) error { return s.signalTo(tx, st.ID, signalDelete) })
		return s.running(st.ID), err
	}
	op := &Operation{Kind: opDelete, Token: shape.Val(in.ClientRequestToken), Retain: in.RetainResources, Force: force}
	st.Status, st.Reason = cfn.StackStatusDeleteInProgress, reasonUser
	st.DeletionMode = shape.Val(in.DeletionMode)
	if in.RoleARN != nil {
		st.RoleARN = *in.RoleARN
	}
	if _, err := s.as(ctx, st, st.RoleARN); err != nil {
		return nil, err
	}
	return s.begin(ctx, st, op, rows, nil, false, func(tx *store.Tx) error { return checkExports(tx, st, nil) })
}

// deleteAfter deletes a stack whose creation ended before the wish to delete it was heard.
func (s *Service) deleteAfter(r *run) error {
	return retry(func() error {
		st, rows, err := s.current(r.ctx, r.stack.Region, r.stack.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if st.Status == cfn.StackStatusDeleteInProgress {
			return nil
		}
		_, err = s.remove(r.ctx, st, rows, &cfn.DeleteStackInput{StackName: st.ID})
		return err
	})
}

// CancelUpdateStack rolls a running update back.
func (s *Service) CancelUpdateStack(ctx context.Context, in *cfn.CancelUpdateStackInput) (*cfn.CancelUpdateStackResponse, error) {
	err := retry(func() error {
		return s.o.DB.Update(ctx, func(tx *store.Tx) error {
			st, err := lookup(tx, wire.CallFrom(ctx).Region, in.StackName)
			if errors.Is(err, store.ErrNotFound) {
				return noStackBracket(in.StackName)
			}
			if err != nil {
				return err
			}
			if st.Status != cfn.StackStatusUpdateInProgress {
				return invalid("CancelUpdateStack cannot be called from current stack status")
			}
			return s.signalTo(tx, st.ID, signalCancel)
		})
	})
	if err != nil {
		return nil, err
	}
	return &cfn.CancelUpdateStackResponse{}, nil
}

// UpdateTerminationProtection says whether a stack may be deleted.
func (s *Service) UpdateTerminationProtection(ctx context.Context, in *cfn.UpdateTerminationProtectionInput) (*cfn.UpdateTerminationProtectionOutput, error) {
	var id string
	err := s.o.DB.Update(ctx, func(tx *store.Tx) error {
		st, err := lookup(tx, wire.CallFrom(ctx).Region, in.StackName)
		if errors.Is(err, store.ErrNotFound) || err == nil && st.Deleted != 0 {
			return noStackBracket(in.StackName)
		}
		if err != nil {
			return err
		}
		if inProgress(st.Status) {
			return invalid("Stack [%s] cannot change its termination protection while in status %s", st.Name, st.Status)
		}
		id = st.ID
		st.Protected = in.EnableTerminationProtection
		return putStack(tx, st)
	})
	if err != nil {
		return nil, err
	}
	return &cfn.UpdateTerminationProtectionOutput{StackId: &id}, nil
}

// extras are parameters that several operations have and that are refused.
type extras struct {
	notificationARNs, resourceTypes []string
	rollback                        *cfn.RollbackConfiguration
	deployment                      *cfn.DeploymentConfig
}

func refuseExtras(x extras) error {
	switch {
	case len(x.notificationARNs) > 0:
		return refused("NotificationARNs", "there is no SNS here to notify")
	case len(x.resourceTypes) > 0:
		return refused("ResourceTypes", "leave it out to allow all types")
	case x.rollback != nil && (len(x.rollback.RollbackTriggers) > 0 || shape.Val(x.rollback.MonitoringTimeInMinutes) > 0):
		return refused("RollbackConfiguration", "there are no CloudWatch alarms here to watch")
	}
	return checkDeployment(x.deployment)
}

// checkDeployment checks the mode of a deployment. Resources here are in use as soon as they are made, so
// express deployments and others are the same.
func checkDeployment(d *cfn.DeploymentConfig) error {
	if d == nil || slices.Contains([]string{"", "STANDARD", "EXPRESS"}, shape.Val(d.Mode)) {
		return nil
	}
	return refused("DeploymentConfig with mode "+*d.Mode, "deployments have one mode here")
}

// keepFailed returns which of the two ways to say that nothing is rolled back counts.
func keepFailed(disable *bool, d *cfn.DeploymentConfig) *bool {
	if disable == nil && d != nil {
		return d.DisableRollback
	}
	return disable
}

// failureMode reads the two ways to say what becomes of a stack that fails.
func failureMode(onFailure *string, disable *bool) (string, error) {
	if onFailure != nil && disable != nil {
		return "", invalid("Either OnFailure or DisableRollback can be specified, not both.")
	}
	switch {
	case onFailure != nil:
		if !slices.Contains([]string{cfn.OnFailureDoNothing, cfn.OnFailureRollback, cfn.OnFailureDelete}, *onFailure) {
			return "", invalid("1 validation error detected: Value '%s' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [ROLLBACK, DELETE, DO_NOTHING]", *onFailure)
		}
		return *onFailure, nil
	case shape.Val(disable):
		return cfn.OnFailureDoNothing, nil
	}
	return cfn.OnFailureRollback, nil
}

func orEmpty[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
