package userpools

import (
	"context"
	"maps"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// The operations on pools and app clients: shape in, domain call, shape out.

func (s *Service) CreateUserPool(ctx context.Context, in *cognitoidp.CreateUserPoolRequest) (*cognitoidp.CreateUserPoolResponse, error) {
	p, err := s.createPool(ctx, wire.CallFrom(ctx).Region, in, "")
	if err != nil {
		return nil, err
	}
	t, err := s.describe(ctx, p)
	return &cognitoidp.CreateUserPoolResponse{UserPool: t}, err
}

// describe is the pool as DescribeUserPool shows it.
func (s *Service) describe(ctx context.Context, p *Pool) (*cognitoidp.UserPoolType, error) {
	t := p.Config
	err := s.db.View(ctx, func(tx *store.Tx) error {
		n, err := userCount(tx, p.No)
		t.EstimatedNumberOfUsers = &n
		return err
	})
	return &t, err
}

func (s *Service) DescribeUserPool(ctx context.Context, in *cognitoidp.DescribeUserPoolRequest) (*cognitoidp.DescribeUserPoolResponse, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	t, err := s.describe(ctx, p)
	return &cognitoidp.DescribeUserPoolResponse{UserPool: t}, err
}

func (s *Service) UpdateUserPool(ctx context.Context, in *cognitoidp.UpdateUserPoolRequest) (*cognitoidp.UpdateUserPoolResponse, error) {
	return &cognitoidp.UpdateUserPoolResponse{}, s.updatePool(ctx, in)
}

func (s *Service) DeleteUserPool(ctx context.Context, in *cognitoidp.DeleteUserPoolRequest) (*cognitoidp.DeleteUserPoolResponse, error) {
	return &cognitoidp.DeleteUserPoolResponse{}, s.deletePool(ctx, in.UserPoolId)
}

const (
	poolsPage   = "userpools.page.pools"
	clientsPage = "userpools.page.clients"
	usersPage   = "userpools.page.users"
)

func (s *Service) ListUserPools(ctx context.Context, in *cognitoidp.ListUserPoolsRequest) (*cognitoidp.ListUserPoolsResponse, error) {
	region := wire.CallFrom(ctx).Region
	after, err := s.page(in.NextToken, poolsPage+"/"+region)
	if err != nil {
		return nil, err
	}
	out := &cognitoidp.ListUserPoolsResponse{UserPools: []cognitoidp.UserPoolDescriptionType{}}
	var list []*Pool
	var next string
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, next, err = pools.List(tx, region, after, int(in.MaxResults))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		out.UserPools = append(out.UserPools, cognitoidp.UserPoolDescriptionType{Id: p.Config.Id, Name: p.Config.Name, LambdaConfig: p.Config.LambdaConfig,
			LastModifiedDate: p.Config.LastModifiedDate, CreationDate: p.Config.CreationDate})
	}
	out.NextToken, err = s.nextPage(next, poolsPage+"/"+region)
	return out, err
}

// page opens a token that nextPage made; nil is the first page.
func (s *Service) page(token *string, context string) (after string, err error) {
	if token != nil && !s.openState(*token, context, &after) {
		return "", errInvalidParameter("Invalid pagination token.")
	}
	return after, nil
}

func (s *Service) nextPage(after, context string) (*string, error) {
	if after == "" {
		return nil, nil
	}
	token, err := s.sealState(after, context)
	return &token, err
}

func (s *Service) AddCustomAttributes(ctx context.Context, in *cognitoidp.AddCustomAttributesRequest) (*cognitoidp.AddCustomAttributesResponse, error) {
	_, err := s.changePool(ctx, in.UserPoolId, func(p *Pool) (err error) {
		p.Config.SchemaAttributes, err = extendSchema(p.Config.SchemaAttributes, in.CustomAttributes, false)
		return err
	})
	return &cognitoidp.AddCustomAttributesResponse{}, err
}

func (s *Service) GetUserPoolMfaConfig(ctx context.Context, in *cognitoidp.GetUserPoolMfaConfigRequest) (*cognitoidp.GetUserPoolMfaConfigResponse, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.GetUserPoolMfaConfigResponse{MfaConfiguration: p.Config.MfaConfiguration}, nil
}

// taggedPool returns the id of the pool that an ARN names.
func (s *Service) taggedPool(ctx context.Context, resource string) (string, error) {
	a, err := arn.Parse(resource)
	id, ok := strings.CutPrefix(a.Resource, "userpool/")
	if err != nil || !ok || !a.Of("cognito-idp", wire.CallFrom(ctx).Region, s.account) {
		return "", errInvalidParameter("Invalid ARN: %s", resource)
	}
	return id, nil
}

func (s *Service) TagResource(ctx context.Context, in *cognitoidp.TagResourceRequest) (*cognitoidp.TagResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.changePool(ctx, id, func(p *Pool) error {
		maps.Copy(p.Config.UserPoolTags, in.Tags)
		if len(p.Config.UserPoolTags) > 50 {
			return errInvalidParameter("A user pool can have at most 50 tags.")
		}
		return nil
	})
	return &cognitoidp.TagResourceResponse{}, err
}

func (s *Service) UntagResource(ctx context.Context, in *cognitoidp.UntagResourceRequest) (*cognitoidp.UntagResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.changePool(ctx, id, func(p *Pool) error {
		for _, key := range in.TagKeys {
			delete(p.Config.UserPoolTags, key)
		}
		return nil
	})
	return &cognitoidp.UntagResourceResponse{}, err
}

func (s *Service) ListTagsForResource(ctx context.Context, in *cognitoidp.ListTagsForResourceRequest) (*cognitoidp.ListTagsForResourceResponse, error) {
	id, err := s.taggedPool(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	p, err := s.regionPool(ctx, id)
	if err != nil {
		return nil, err
	}
	return &cognitoidp.ListTagsForResourceResponse{Tags: p.Config.UserPoolTags}, nil
}

// describeClient is the client as DescribeUserPoolClient shows it.
func (s *Service) describeClient(c *Client) (*cognitoidp.UserPoolClientType, error) {
	t := c.Config
	secret, err := s.clientSecret(c)
	if secret != "" {
		t.ClientSecret = &secret
	}
	return &t, err
}

func (s *Service) CreateUserPoolClient(ctx context.Context, in *cognitoidp.CreateUserPoolClientRequest) (*cognitoidp.CreateUserPoolClientResponse, error) {
	c, err := s.createClient(ctx, in, "")
	if err != nil {
		return nil, err
	}
	t, err := s.describeClient(c)
	return &cognitoidp.CreateUserPoolClientResponse{UserPoolClient: t}, err
}

func (s *Service) DescribeUserPoolClient(ctx context.Context, in *cognitoidp.DescribeUserPoolClientRequest) (*cognitoidp.DescribeUserPoolClientResponse, error) {
	c, _, err := s.poolClient(ctx, in.UserPoolId, in.ClientId)
	if err != nil {
		return nil, err
	}
	t, err := s.describeClient(c)
	return &cognitoidp.DescribeUserPoolClientResponse{UserPoolClient: t}, err
}

func (s *Service) UpdateUserPoolClient(ctx context.Context, in *cognitoidp.UpdateUserPoolClientRequest) (*cognitoidp.UpdateUserPoolClientResponse, error) {
	c, err := s.updateClient(ctx, in)
	if err != nil {
		return nil, err
	}
	t, err := s.describeClient(c)
	return &cognitoidp.UpdateUserPoolClientResponse{UserPoolClient: t}, err
}

func (s *Service) DeleteUserPoolClient(ctx context.Context, in *cognitoidp.DeleteUserPoolClientRequest) (*cognitoidp.DeleteUserPoolClientResponse, error) {
	return &cognitoidp.DeleteUserPoolClientResponse{}, s.deleteClient(ctx, in.UserPoolId, in.ClientId)
}

func (s *Service) ListUserPoolClients(ctx context.Context, in *cognitoidp.ListUserPoolClientsRequest) (*cognitoidp.ListUserPoolClientsResponse, error) {
	p, err := s.regionPool(ctx, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	after, err := s.page(in.NextToken, clientsPage+"/"+p.id())
	if err != nil {
		return nil, err
	}
	limit := 60
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &cognitoidp.ListUserPoolClientsResponse{UserPoolClients: []cognitoidp.UserPoolClientDescription{}}
	var list []*Client
	var next string
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, next, err = clients.List(tx, p.id(), after, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		out.UserPoolClients = append(out.UserPoolClients, cognitoidp.UserPoolClientDescription{ClientId: c.Config.ClientId, ClientName: c.Config.ClientName, UserPoolId: shape.Ptr(c.PoolID)})
	}
	out.NextToken, err = s.nextPage(next, clientsPage+"/"+p.id())
	return out, err
}
