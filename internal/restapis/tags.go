package restapis

import (
	"context"
	"maps"
	"net/url"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// tagged applies f to the tags of what an ARN names: arn:aws:apigateway:REGION::/restapis/ID, …/stages/NAME, /apikeys/ID,
// /usageplans/ID, /domainnames/NAME, /clientcertificates/ID.
func (s *Service) tagged(ctx context.Context, resourceARN string, f func(tags map[string]string)) (tags map[string]string, err error) {
	if decoded, err := url.PathUnescape(resourceARN); err == nil && strings.Contains(resourceARN, "%") {
		resourceARN = decoded
	}
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
			d, err := domainOf(ctx, tx, id)
			if err != nil {
				return err
			}
			if err := apply(&d.Tags); err != nil {
				return err
			}
			return domains.Put(tx, store.Key{ID: *d.DomainName.DomainName, Parent: d.Region}, d)
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

func (s *Service) GetTags(ctx context.Context, in *v1.GetTagsRequest) (*v1.Tags, error) {
	tags, err := s.tagged(ctx, in.ResourceArn, func(map[string]string) {})
	if err != nil {
		return nil, err
	}
	return &v1.Tags{Tags: tags}, nil
}
