package functions

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// publish makes a version of what $LATEST is. If nothing has changed since the last one was made, that
// is the answer. The caller stores f.
func (s *Service) publish(tx *store.Tx, f *function, description string) (*version, error) {
	id := functionKey(f).ID
	if f.Last > 0 && f.LastBuild == f.Latest.Build {
		v, err := versions.Get(tx, versionKey(id, strconv.FormatInt(f.Last, 10)).ID)
		if !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
	}
	f.Last++
	f.LastBuild = f.Latest.Build
	v := f.Latest
	v.Number, v.Revision, v.Description = strconv.FormatInt(f.Last, 10), ident.UUID(), description
	if err := tx.LinkBlob(v.CodeSum, blobOwner(id, v.Number)); err != nil {
		return nil, err
	}
	return &v, versions.Insert(tx, versionKey(id, v.Number), &v)
}

func (s *Service) PublishVersion(ctx context.Context, in *lambda.PublishVersionRequest) (*lambda.FunctionConfiguration, error) {
	n, err := s.target(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if shape.Val(in.PublishTo) != "" {
		return nil, unsupported("PublishTo")
	}
	var v *version
	var fn *function
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if in.RevisionId != nil && *in.RevisionId != f.Latest.Revision {
			return revised("GetFunction/GetAlias")
		}
		if have := f.Latest.codeSHA256(); shape.Val(in.CodeSha256) != "" && *in.CodeSha256 != have {
			return invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", *in.CodeSha256, have)
		}
		description := f.Latest.Description
		if in.Description != nil {
			description = *in.Description
		}
		var err error
		fn = f
		v, err = s.publish(tx, f, description)
		return err
	})
	if err != nil {
		return nil, err
	}
	return withState(s.shape(fn, v, qualified(n, v))), nil
}

func (s *Service) deleteVersion(ctx context.Context, n name) error {
	return s.change(ctx, n, func(tx *store.Tx, f *function) error {
		for _, a := range f.Aliases {
			if a.Version == n.qualifier {
				return conflict("Version %s cannot be deleted: the alias %s points to it.", n.qualifier, a.Name)
			}
		}
		key := versionKey(n.id(), n.qualifier)
		v, err := versions.Get(tx, key.ID)
		if errors.Is(err, store.ErrNotFound) {
			return notFound(n.arn())
		}
		if err != nil {
			return err
		}
		if err := dropCode(tx, blobOwner(n.id(), v.Number), v.CodeSum); err != nil {
			return err
		}
		delete(f.Policies, n.qualifier)
		f.Touched++ // what was prepared for the version is void
		return versions.Delete(tx, key.ID)
	})
}

// ListVersionsByFunction lists $LATEST, then the published versions.
func (s *Service) ListVersionsByFunction(ctx context.Context, in *lambda.ListVersionsByFunctionRequest) (*lambda.ListVersionsByFunctionResponse, error) {
	n, err := s.named(wire.CallFrom(ctx), in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n.plain())
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems)
	out := &lambda.ListVersionsByFunctionResponse{Versions: []lambda.FunctionConfiguration{}}
	add := func(v *version) {
		n.qualifier = v.Number
		out.Versions = append(out.Versions, *s.shape(f, v, n.arn()))
	}
	marker := shape.Val(in.Marker)
	after := ""
	switch {
	case marker == "":
		add(&f.Latest)
		marker = latest
	case isVersion(marker):
		after = versionKey(n.id(), marker).ID
	case marker != latest:
		return nil, invalid("The Marker is not valid.")
	}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		list, _, err := versions.List(tx, n.id(), after, limit+1-len(out.Versions))
		for _, v := range list {
			if len(out.Versions) == limit {
				out.NextMarker = &marker
				break
			}
			add(v)
			marker = v.Number
		}
		return err
	})
	return out, err
}

// aliased reads a call about an alias: the plain name of its function.
func (s *Service) aliased(ctx context.Context, ref string) (name, error) {
	n, err := s.named(wire.CallFrom(ctx), ref, nil)
	return n.plain(), err
}

func (s *Service) aliasShape(n name, a *alias) *lambda.AliasConfiguration {
	n.qualifier = a.Name
	return &lambda.AliasConfiguration{AliasArn: shape.Ptr(n.arn()), Name: &a.Name, FunctionVersion: &a.Version, Description: &a.Description, RevisionId: &a.Revision}
}

// checkVersion makes sure that an alias can point to a version.
func checkVersion(tx *store.Tx, n name, number string) error {
	if number == latest {
		return nil
	}
	_, err := versions.Get(tx, versionKey(n.id(), number).ID)
	if errors.Is(err, store.ErrNotFound) {
		n.qualifier = number
		return notFound(n.arn())
	}
	return err
}

func checkRouting(r *lambda.AliasRoutingConfiguration) error {
	if r != nil && len(r.AdditionalVersionWeights) > 0 {
		return unsupported("weighted aliases (RoutingConfig)")
	}
	return nil
}

func noAlias(n name, alias string) error {
	n.qualifier = alias
	return user(lambda.ResourceNotFoundException("Cannot find alias arn: %s", n.arn()))
}

func (s *Service) CreateAlias(ctx context.Context, in *lambda.CreateAliasRequest) (*lambda.AliasConfiguration, error) {
	n, err := s.aliased(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	a := &alias{Name: in.Name, Version: in.FunctionVersion, Description: shape.Val(in.Description), Revision: ident.UUID()}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if err := checkVersion(tx, n, in.FunctionVersion); err != nil {
			return err
		}
		if f.Aliases[in.Name] != nil {
			return conflict("Alias already exists: %s:%s", n.arn(), in.Name)
		}
		if f.Aliases == nil {
			f.Aliases = map[string]*alias{}
		}
		f.Aliases[in.Name] = a
		return nil
	})
	return s.aliasShape(n, a), err
}

func (s *Service) GetAlias(ctx context.Context, in *lambda.GetAliasRequest) (*lambda.AliasConfiguration, error) {
	n, err := s.aliased(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	a := f.Aliases[in.Name]
	if a == nil {
		return nil, noAlias(n, in.Name)
	}
	return s.aliasShape(n, a), nil
}

func (s *Service) UpdateAlias(ctx context.Context, in *lambda.UpdateAliasRequest) (*lambda.AliasConfiguration, error) {
	n, err := s.aliased(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := checkRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	var a *alias
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if a = f.Aliases[in.Name]; a == nil {
			return noAlias(n, in.Name)
		}
		if in.RevisionId != nil && *in.RevisionId != a.Revision {
			return revised("GetFunction/GetAlias")
		}
		if in.FunctionVersion != nil {
			if err := checkVersion(tx, n, *in.FunctionVersion); err != nil {
				return err
			}
			a.Version = *in.FunctionVersion
		}
		set(&a.Description, in.Description)
		a.Revision = ident.UUID()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.aliasShape(n, a), nil
}

// DeleteAlias of an alias that does not exist does nothing, as on AWS.
func (s *Service) DeleteAlias(ctx context.Context, in *lambda.DeleteAliasRequest) (*lambda.DeleteAliasResponse, error) {
	n, err := s.aliased(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		delete(f.Aliases, in.Name)
		delete(f.Policies, in.Name)
		return dropURL(tx, f, in.Name)
	})
	return &lambda.DeleteAliasResponse{}, err
}

func (s *Service) ListAliases(ctx context.Context, in *lambda.ListAliasesRequest) (*lambda.ListAliasesResponse, error) {
	n, err := s.aliased(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	var list []*alias
	for _, a := range f.Aliases {
		if a.Name > shape.Val(in.Marker) && (in.FunctionVersion == nil || a.Version == *in.FunctionVersion) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *alias) int { return strings.Compare(a.Name, b.Name) })
	out := &lambda.ListAliasesResponse{Aliases: []lambda.AliasConfiguration{}}
	limit := pageSize(in.MaxItems)
	for i, a := range list {
		if i == limit {
			out.NextMarker = &list[i-1].Name
			break
		}
		out.Aliases = append(out.Aliases, *s.aliasShape(n, a))
	}
	return out, nil
}
