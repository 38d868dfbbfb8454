package stacks

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// repositories is AWS::ECR::Repository as far as cdk bootstrap needs it: a name that is taken, with its ARN
// and address. No images can be pushed to it, as no service here answers to ECR's API.
type repositories struct{ s *Service }

type repository struct{ Name, Token string }

var repositoryKind = store.Kind[repository]{Name: "stacks.repository"}

// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html, repositoryName
var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

func repositoryKey(region, name string) store.Key {
	return store.Key{ID: region + "/" + name, Parent: region}
}

func (h repositories) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	name, given := r.Props["RepositoryName"].(string)
	if !given {
		name = strings.ToLower(r.PhysicalName(256, true))
	}
	if len(name) < 2 || len(name) > 256 || !repositoryName.MatchString(name) {
		return resource.Result{}, &resource.Error{Message: "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '" + strings.Trim(repositoryName.String(), "^$") + "''"}
	}
	region := wire.CallFrom(ctx).Region
	err := h.s.o.DB.Update(ctx, func(tx *store.Tx) error {
		err := repositoryKind.Insert(tx, repositoryKey(region, name), &repository{name, r.Token})
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if old, err := repositoryKind.Get(tx, repositoryKey(region, name).ID); err != nil || old.Token == r.Token {
			return err
		}
		return &resource.Error{Message: "Resource of type 'AWS::ECR::Repository' with identifier '" + name + "' already exists."}
	})
	if err != nil {
		return resource.Result{}, err
	}
	return h.result(ctx, name), nil
}

func (h repositories) result(ctx context.Context, name string) resource.Result {
	c := h.s.callerOf(ctx)
	return resource.Result{PhysicalID: name, Attrs: map[string]any{
		"Arn":           arn.ARN{Partition: c.Partition, Service: "ecr", Region: c.Region, Account: c.Account, Resource: "repository/" + name}.String(),
		"RepositoryUri": c.Account + ".dkr.ecr." + c.Region + ".amazonaws.com/" + name,
	}}
}

func (h repositories) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	return h.result(ctx, r.PhysicalID), nil
}

func (h repositories) Delete(ctx context.Context, r *resource.Request) error {
	return h.s.o.DB.Update(ctx, func(tx *store.Tx) error {
		err := repositoryKind.Delete(tx, repositoryKey(wire.CallFrom(ctx).Region, r.PhysicalID).ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}
