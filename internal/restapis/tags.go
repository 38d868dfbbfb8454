package restapis

import (
	"context"
	"errors"
	"maps"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// tagged applies f to the tags of what an ARN names: arn:aws:apigateway:REGION::/restapis/ID, …/stages/NAME, /apikeys/ID,
// /usageplans/ID, /domainnames/NAME, /clientcertificates/ID.
func (s *Service) tagged(ctx context.Context, resourceARN string, f func(tags map[string]string)) (tags map[string]string, err error) {
	apply := func(t *map[string]string) error {
		if *t == nil {
			*t = map[string]string{}
		}
		f(*t)
		tags = *t
		return checkTags(*t)
	}
	path, ok := strings.CutPrefix(resourceARN, "arn:aws:apigateway:"+region(ctx)+"::/")
	parts := strings.Split(path, "/")
	if !ok || len(parts) != 2 && (len(parts) != 4 || parts[0] != "restapis" || parts[2] != "stages") {
		return nil, v1.NotFoundException("Invalid Resource ARN specified: %s", resourceARN)
	}
	id := parts[1]
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		switch parts[0] {
		case "restapis":
			a, err := s.api(ctx, tx, id)
			if err != nil {
				return err
			}
			if len(parts) == 2 {
				if err := apply(&a.Tags); err != nil {
					return err
				}
				return putAPI(tx, a)
			}
			st, err := stages.Get(tx, id+"/"+parts[3])
			if err != nil {
				return missing(err, "Stage")
			}
			if err := apply(&st.Tags); err != nil {
				return err
			}
			return stages.Put(tx, partKey(id, parts[3], ""), st)
		case "apikeys":
			k, err := s.key(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := apply(&k.Tags); err != nil {
				return err
			}
			return keys.Put(tx, store.Key{ID: id, Parent: k.Region}, k)
		case "usageplans":
			p, err := s.plan(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := apply(&p.Tags); err != nil {
				return err
			}
			return plans.Put(tx, store.Key{ID: id, Parent: p.Region}, p)
		case "domainnames":
			return domains.Tag(tx, region(ctx), id, apply)
		case "clientcertificates":
			c, err := s.certificate(tx, region(ctx), id)
			if err != nil {
				return err
			}
			if err := apply(&c.Tags); err != nil {
				return err
			}
			return certificates.Put(tx, store.Key{ID: id, Parent: c.Region}, c)
		}
		return v1.NotFoundException("Invalid Resource ARN specified: %s", resourceARN)
	})
	return tags, err
}

func (s *Service) TagResource(ctx context.Context, in *v1.TagResourceRequest) (*v1.TagResourceResponse, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
	if err != nil {
		return nil, err
	}
	return &v1.TagResourceResponse{}, nil
}

func (s *Service) UntagResource(ctx context.Context, in *v1.UntagResourceRequest) (*v1.UntagResourceResponse, error) {
	_, err := s.tagged(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
	if err != nil {
		return nil, err
	}
	return &v1.UntagResourceResponse{}, nil
}

// GetTags answers from memory: policies ask for tags at each decision.
func (s *Service) GetTags(ctx context.Context, in *v1.GetTagsRequest) (*v1.Tags, error) {
	unknown := v1.NotFoundException("Invalid Resource ARN specified: %s", in.ResourceArn)
	path, ok := strings.CutPrefix(in.ResourceArn, "arn:aws:apigateway:"+region(ctx)+"::/")
	if parts := strings.Split(path, "/"); ok && (len(parts) == 2 || len(parts) == 4 && parts[0] == "restapis" && parts[2] == "stages") {
		tags, at, err := s.tagsOf(ctx, parts)
		if errors.Is(err, store.ErrNotFound) || err == nil && at != region(ctx) {
			return nil, unknown
		} else if err != nil {
			return nil, err
		}
		if tags == nil {
			tags = map[string]string{}
		}
		return &v1.Tags{Tags: tags}, nil
	}
	return nil, unknown
}

// tagsOf returns the tags of what a path names, and the region where it is.
func (s *Service) tagsOf(ctx context.Context, parts []string) (tags map[string]string, region string, err error) {
	id := parts[1]
	switch parts[0] {
	case "restapis":
		a, err := apis.Cached(ctx, s.db, id)
		if err != nil || len(parts) == 2 {
			return tagged(a, err, func(a *api) (map[string]string, string) { return a.Tags, a.Region })
		}
		st, err := stages.Cached(ctx, s.db, id+"/"+parts[3])
		return tagged(st, err, func(st *v1.Stage) (map[string]string, string) { return st.Tags, a.Region })
	case "apikeys":
		k, err := keys.Cached(ctx, s.db, id)
		return tagged(k, err, func(k *apiKey) (map[string]string, string) { return k.Tags, k.Region })
	case "usageplans":
		p, err := plans.Cached(ctx, s.db, id)
		return tagged(p, err, func(p *usagePlan) (map[string]string, string) { return p.Tags, p.Region })
	case "domainnames":
		d, err := s.domains.Cached(ctx, id)
		return tagged(d, err, func(d *domains.Domain) (map[string]string, string) { return d.Tags, d.Region })
	case "clientcertificates":
		c, err := certificates.Cached(ctx, s.db, id)
		return tagged(c, err, func(c *clientCert) (map[string]string, string) { return c.Tags, c.Region })
	}
	return nil, "", store.ErrNotFound
}

func tagged[T any](v *T, err error, of func(*T) (map[string]string, string)) (map[string]string, string, error) {
	if err != nil {
		return nil, "", err
	}
	tags, region := of(v)
	return tags, region, nil
}
