package functions

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// draft is a function that is to be made.
type draft struct {
	name     name
	config   config
	code     *upload
	tags     map[string]string
	reserved *int64
	publish  bool
	token    string // of a stack's step
}

func (s *Service) CreateFunction(ctx context.Context, in *lambda.CreateFunctionRequest) (*lambda.FunctionConfiguration, error) {
	n, err := s.named(wire.CallFrom(ctx), in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if n.qualifier != "" {
		return nil, invalid("The name of a new function has no qualifier.")
	}
	d := draft{name: n, config: newConfig(), tags: in.Tags, publish: shape.Val(in.Publish)}
	if d.config, err = s.configOf(in); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if _, err := s.get(ctx, n); err == nil { // before all the work
		return nil, exists(n)
	}
	if err := s.checkRole(ctx, d.config.Role); err != nil {
		return nil, err
	}
	c := in.Code
	src, err := sourceOf(c.ZipFile, c.S3Bucket, c.S3Key, c.S3ObjectVersion, c.ImageUri, c.S3ObjectStorageMode, c.SourceKMSKeyArn)
	if err != nil {
		return nil, err
	}
	if d.code, err = s.fetch(ctx, src); err != nil {
		return nil, err
	}
	f, v, err := s.create(ctx, &d)
	if err != nil {
		return nil, err
	}
	return withState(s.shape(f, v, qualified(n, v))), nil
}

func exists(n name) error { return conflict("Function already exist: %s", n.function) }

// checkRole refuses a role that Lambda may not act as.
func (s *Service) checkRole(ctx context.Context, roleARN string) error {
	if s.Assumable == nil {
		return nil
	}
	ok, err := s.Assumable(ctx, roleARN)
	if err == nil && !ok {
		err = invalid("The role defined for the function cannot be assumed by Lambda.")
	}
	return err
}

// configOf returns the configuration that a CreateFunctionRequest asks for.
func (s *Service) configOf(in *lambda.CreateFunctionRequest) (config, error) {
	c := newConfig()
	set, err := settingsOf(in)
	if err != nil {
		return c, err
	}
	if len(in.Architectures) > 0 {
		c.Arch = in.Architectures[0]
	}
	err = s.apply(&c, set)
	return c, err
}

// qualified returns the ARN of a version: with its number, if it is a published one.
func qualified(n name, v *version) string {
	if n = n.plain(); v.Number != latest {
		n.qualifier = v.Number
	}
	return n.arn()
}

// create stores a new function. The version is the one that the caller asked for.
func (s *Service) create(ctx context.Context, d *draft) (f *function, v *version, err error) {
	err = s.store(ctx, d.code, func(tx *store.Tx) error {
		f = &function{Region: d.name.region, Name: d.name.function, Tags: d.tags, Token: d.token}
		f.Latest = version{Number: latest, Revision: ident.UUID(), Build: ident.UUID(), Modified: s.Now().UnixMilli(),
			config: d.config, CodeSum: d.code.sum, CodeSize: d.code.size}
		// First the name, so that a conflict says what it is.
		if _, err := functions.Get(tx, d.name.id()); err == nil {
			return exists(d.name)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.LinkBlob(d.code.sum, blobOwner(d.name.id(), latest)); err != nil {
			return err
		}
		if d.reserved != nil {
			if err := s.reserve(tx, f, *d.reserved); err != nil {
				return err
			}
		}
		v = &f.Latest
		if d.publish {
			if v, err = s.publish(tx, f, d.config.Description); err != nil {
				return err
			}
		}
		return functions.Insert(tx, functionKey(f), f)
	})
	return f, v, err
}

// modify changes code and configuration of a function at once: edit changes what it likes of the
// function, code replaces the code if it is not nil. Processes with the old state end.
func (s *Service) modify(ctx context.Context, n name, code *upload, publish bool, edit func(tx *store.Tx, f *function) error) (f *function, v *version, err error) {
	var built bool
	err = s.store(ctx, code, func(tx *store.Tx) error {
		if f, err = functions.Get(tx, n.id()); err == store.ErrNotFound {
			return notFound(n.plain().arn())
		} else if err != nil {
			return err
		}
		old := f.Latest
		if err := edit(tx, f); err != nil {
			return err
		}
		l := &f.Latest
		if code != nil {
			if err := swapCode(tx, blobOwner(n.id(), latest), code.sum, l.CodeSum); err != nil {
				return err
			}
			l.CodeSum, l.CodeSize = code.sum, code.size
		}
		built = l.CodeSum != old.CodeSum || !reflect.DeepEqual(l.config, old.config)
		if built {
			l.Build = ident.UUID()
		}
		l.Revision, l.Modified = ident.UUID(), s.Now().UnixMilli()
		v = l
		if publish {
			if v, err = s.publish(tx, f, l.Description); err != nil {
				return err
			}
		}
		return functions.Put(tx, functionKey(f), f)
	})
	if err != nil {
		return nil, nil, err
	}
	if built {
		s.Runtime.Retire(n.plain().arn())
		s.code.collectSoon()
	}
	return f, v, nil
}

func (s *Service) UpdateFunctionCode(ctx context.Context, in *lambda.UpdateFunctionCodeRequest) (*lambda.FunctionConfiguration, error) {
	n, err := s.target(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if shape.Val(in.PublishTo) != "" {
		return nil, unsupported("PublishTo")
	}
	src, err := sourceOf(in.ZipFile, in.S3Bucket, in.S3Key, in.S3ObjectVersion, in.ImageUri, in.S3ObjectStorageMode, in.SourceKMSKeyArn)
	if err != nil {
		return nil, err
	}
	code, err := s.fetch(ctx, src)
	if err != nil {
		return nil, err
	}
	edit := func(_ *store.Tx, f *function) error {
		if in.RevisionId != nil && *in.RevisionId != f.Latest.Revision {
			return revised("GetFunction/GetAlias")
		}
		if len(in.Architectures) > 0 {
			f.Latest.Arch = in.Architectures[0]
		}
		return nil
	}
	if shape.Val(in.DryRun) {
		shared, err := s.get(ctx, n)
		if err != nil {
			return nil, err
		}
		f := *shared
		if err := edit(nil, &f); err != nil {
			return nil, err
		}
		f.Latest.CodeSum, f.Latest.CodeSize = code.sum, code.size
		return withState(s.shape(&f, &f.Latest, n.arn())), nil
	}
	f, v, err := s.modify(ctx, n, code, shape.Val(in.Publish), edit)
	if err != nil {
		return nil, err
	}
	return withState(s.shape(f, v, qualified(n, v))), nil
}

// target reads the name of a function that is to be changed: a version cannot be. It fails for one that
// does not exist, before any work is done for it.
func (s *Service) target(ctx context.Context, ref string) (name, error) {
	n, err := s.named(wire.CallFrom(ctx), ref, nil)
	if err != nil {
		return n, err
	}
	if n.qualifier != "" && n.qualifier != latest {
		return n, invalid("This operation is only permitted on the $LATEST version: %s", n.arn())
	}
	n = n.plain()
	_, err = s.get(ctx, n)
	return n, err
}

func (s *Service) UpdateFunctionConfiguration(ctx context.Context, in *lambda.UpdateFunctionConfigurationRequest) (*lambda.FunctionConfiguration, error) {
	n, err := s.target(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.Role != nil {
		if err := s.checkRole(ctx, *in.Role); err != nil {
			return nil, err
		}
	}
	f, v, err := s.modify(ctx, n, nil, false, func(_ *store.Tx, f *function) error {
		if in.RevisionId != nil && *in.RevisionId != f.Latest.Revision {
			return revised("GetFunction/GetAlias")
		}
		return s.apply(&f.Latest.config, in)
	})
	if err != nil {
		return nil, err
	}
	return withState(s.shape(f, v, n.arn())), nil
}

// found returns the function and the version that a call means.
func (s *Service) found(ctx context.Context, ref string, qualifier *string) (name, *function, *version, error) {
	n, err := s.named(wire.CallFrom(ctx), ref, qualifier)
	if err != nil {
		return n, nil, nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return n, nil, nil, err
	}
	v, _, err := s.version(ctx, f, n)
	return n, f, v, err
}

// GetFunction does not tell where the code can be downloaded.
func (s *Service) GetFunction(ctx context.Context, in *lambda.GetFunctionRequest) (*lambda.GetFunctionResponse, error) {
	n, f, v, err := s.found(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &lambda.GetFunctionResponse{
		Configuration: withState(s.shape(f, v, n.arn())),
		Code:          &lambda.FunctionCodeLocation{RepositoryType: shape.Ptr("S3")},
		Tags:          f.Tags,
	}
	if f.Reserved != nil {
		out.Concurrency = &lambda.Concurrency{ReservedConcurrentExecutions: f.Reserved}
	}
	return out, nil
}

func (s *Service) GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationRequest) (*lambda.FunctionConfiguration, error) {
	n, f, v, err := s.found(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return withState(s.shape(f, v, n.arn())), nil
}

// maxPage is how many functions or versions a list holds at the most.
const maxPage = 50

func pageSize(n *int64) int {
	if n == nil || *n > maxPage {
		return maxPage
	}
	return max(int(*n), 1)
}

// ListFunctions lists functions by name; with FunctionVersion ALL, every version of each.
func (s *Service) ListFunctions(ctx context.Context, in *lambda.ListFunctionsRequest) (*lambda.ListFunctionsResponse, error) {
	c := wire.CallFrom(ctx)
	limit := pageSize(in.MaxItems)
	everything := shape.Val(in.FunctionVersion) == lambda.FunctionVersionAll
	// A marker is the last name, or the last name and version with a colon between.
	last, number, within := strings.Cut(shape.Val(in.Marker), ":")
	out := &lambda.ListFunctionsResponse{Functions: []lambda.FunctionConfiguration{}}
	add := func(f *function, v *version) bool {
		n := name{region: f.Region, account: s.Account, function: f.Name}
		marker := f.Name
		if everything {
			n.qualifier = v.Number
			marker += ":" + v.Number
		}
		if len(out.Functions) == limit {
			out.NextMarker = shape.Ptr(last)
			return false
		}
		out.Functions = append(out.Functions, *s.shape(f, v, n.arn()))
		last = marker
		return true
	}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		rest := func(f *function, number string) (bool, error) {
			after := ""
			if number != latest {
				after = versionKey(functionKey(f).ID, number).ID
			}
			list, _, err := versions.List(tx, functionKey(f).ID, after, limit+1)
			for _, v := range list {
				if !add(f, v) {
					return false, err
				}
			}
			return true, err
		}
		after := c.Region + "/" + last
		if within && everything {
			f, err := functions.Get(tx, after)
			if err == nil {
				if more, err := rest(f, number); err != nil || !more {
					return err
				}
			} else if err != store.ErrNotFound {
				return err
			}
		}
		page, _, err := functions.List(tx, c.Region, after, limit+1)
		if err != nil {
			return err
		}
		for _, f := range page {
			if !add(f, &f.Latest) {
				return nil
			}
			if everything {
				if more, err := rest(f, latest); err != nil || !more {
					return err
				}
			}
		}
		return nil
	})
	return out, err
}

// DeleteFunction deletes a function, or one of its versions.
func (s *Service) DeleteFunction(ctx context.Context, in *lambda.DeleteFunctionRequest) (*lambda.DeleteFunctionResponse, error) {
	n, err := s.named(wire.CallFrom(ctx), in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	switch {
	case n.qualifier == latest:
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	case isVersion(n.qualifier):
		err = s.deleteVersion(ctx, n)
	case n.qualifier != "":
		return nil, invalid("Deletion of aliases is not currently supported.")
	default:
		err = s.DB.Update(ctx, func(tx *store.Tx) error {
			if err := remove(tx, n.id()); err == store.ErrNotFound {
				return notFound(n.arn())
			} else if err != nil {
				return err
			}
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	s.Runtime.Retire(n.plain().arn())
	s.code.collectSoon()
	return &lambda.DeleteFunctionResponse{StatusCode: shape.Ptr(int64(204))}, nil
}
