package parameters

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Limits of the Parameter Store:
// https://docs.aws.amazon.com/general/latest/gr/ssm.html#limits_ssm
const (
	maxStandard = 4096 // bytes of a value
	maxAdvanced = 8192
	maxLevels   = 15
	maxName     = 1011 // characters
	maxTags     = 50
	defaultKey  = "alias/aws/ssm"
)

func invalid(format string, args ...any) error {
	return shape.Errorf("ValidationException", 400, format, args...)
}

// checkName refuses what cannot be the name of a new parameter.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html#sysman-parameter-name-constraints
func checkName(name string) error {
	path := strings.TrimPrefix(name, "/")
	first, _, _ := strings.Cut(path, "/")
	lower := strings.ToLower(path)
	switch {
	case strings.HasPrefix(lower, "aws"):
		return shape.Errorf("AccessDeniedException", 400, "No access to reserved parameter name: %s.", first)
	case strings.HasPrefix(lower, "ssm") || path == "" || strings.HasSuffix(path, "/") || strings.Contains(name, "//") || !isName(path):
		return invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case path == name && strings.Contains(path, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case strings.Count(path, "/")+1 > maxLevels:
		return ssm.HierarchyLevelLimitExceededException("Hierarchy depth has exceeded the limit of %d levels.", maxLevels)
	case len(name) > maxName:
		return invalid("Parameter name must not be longer than %d characters.", maxName)
	}
	return nil
}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("./-_", c) < 0 {
			return false
		}
	}
	return true
}

func (s *Service) PutParameter(ctx context.Context, in *ssm.PutParameterRequest) (*ssm.PutParameterResult, error) {
	p, err := s.draft(ctx, in)
	if err != nil {
		return nil, err
	}
	overwrite := shape.Val(in.Overwrite)
	if overwrite && len(in.Tags) > 0 {
		return nil, invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if p.Tags, err = tagMap(nil, in.Tags); err != nil {
		return nil, err
	}
	err = s.write(ctx, p, in, func(old *parameter) error {
		if old == nil {
			return nil
		}
		if !overwrite {
			return ssm.ParameterAlreadyExists("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		p.Tags = old.Tags
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ssm.PutParameterResult{Version: &p.Number, Tier: &p.Tier}, nil
}

// draft checks what can be checked of a parameter before it is known whether there is one.
func (s *Service) draft(ctx context.Context, in *ssm.PutParameterRequest) (*parameter, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	switch {
	case shape.Val(in.Policies) != "" && shape.Val(in.Policies) != "{}" && *in.Policies != "[]":
		return nil, ssm.InvalidPolicyTypeException("Gatehouse does not support policies of parameters.")
	case shape.Val(in.DataType) != "" && *in.DataType != "text":
		return nil, invalid("Gatehouse supports the data type text only, not %s.", *in.DataType)
	case shape.Val(in.KeyId) != "" && *in.KeyId != defaultKey:
		return nil, ssm.InvalidKeyId("Gatehouse has no keys of KMS but the default one, %s.", defaultKey)
	}
	tier := shape.Val(in.Tier)
	switch {
	case tier == "", tier == ssm.ParameterTierIntelligentTiering && len(in.Value) <= maxStandard:
		tier = ssm.ParameterTierStandard
	case tier == ssm.ParameterTierIntelligentTiering:
		tier = ssm.ParameterTierAdvanced
	}
	if tier == ssm.ParameterTierStandard && len(in.Value) > maxStandard {
		return nil, invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxStandard)
	}
	if len(in.Value) > maxAdvanced {
		return nil, invalid("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	}
	if in.Value == "" {
		return nil, invalid("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	}
	if pattern := shape.Val(in.AllowedPattern); pattern != "" {
		// The whole value must match, as with Java's matches.
		re, err := regexp.Compile(`^(?:` + pattern + `)$`)
		if err != nil {
			return nil, ssm.InvalidAllowedPatternException("The regular expression %s is not valid here: %v", pattern, err)
		}
		if !re.MatchString(in.Value) {
			return nil, ssm.ParameterPatternMismatchException("Parameter value, cannot be validated against allowedPattern: %s", pattern)
		}
	}
	c := wire.CallFrom(ctx)
	return &parameter{Region: c.Region, Name: in.Name, version: version{Type: shape.Val(in.Type), Modified: s.Now().UnixMilli(), User: c.Principal,
		Description: shape.Val(in.Description), Pattern: shape.Val(in.AllowedPattern), Tier: tier}}, nil
}

// write stores a parameter as the next version of what is there, which f is shown first: nil if there
// is nothing.
func (s *Service) write(ctx context.Context, p *parameter, in *ssm.PutParameterRequest, f func(old *parameter) error) error {
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p.Number, p.Type = 1, shape.Val(in.Type)
		old, err := get(tx, p.Region, p.Name)
		switch {
		case err == nil:
			p.Number = old.Number + 1
			if p.Type == "" {
				p.Type = old.Type
			}
			if in.Description == nil {
				p.Description = old.Description
			}
		case !isAbsent(err):
			return err
		}
		if err := f(old); err != nil {
			return err
		}
		if p.Type == "" {
			return invalid("A parameter type is required when you create a parameter.")
		}
		if p.Value = in.Value; p.Type == ssm.ParameterTypeSecureString {
			if p.Value, err = s.sealed(p.Region, p.Name, in.Value); err != nil {
				return err
			}
		}
		return put(tx, p)
	})
}

func isAbsent(err error) bool {
	return shape.HasCode(err, "ParameterNotFound")
}

// wanted reads what a caller asks for: a name or ARN, with a version after a colon.
func (s *Service) wanted(ctx context.Context, ref string) (names []string, selector string, err error) {
	names = []string{ref}
	if strings.HasPrefix(ref, "arn:") {
		a, err := arn.Parse(ref)
		path, ok := strings.CutPrefix(a.Resource, "parameter/")
		if err != nil || !ok || !a.Of("ssm", region(ctx), s.Account) {
			return nil, "", absent()
		}
		path, sel, _ := strings.Cut(path, ":")
		names, selector = []string{"/" + path}, sel
		if !strings.Contains(path, "/") {
			names = append(names, path) // the ARN does not tell name from /name
		}
	} else if name, sel, ok := strings.Cut(ref, ":"); ok {
		names, selector = []string{name}, sel
	}
	return names, selector, nil
}

// find returns a version of a parameter.
func (s *Service) find(ctx context.Context, tx *store.Tx, ref string, decrypt bool) (*ssm.Parameter, error) {
	names, selector, err := s.wanted(ctx, ref)
	if err != nil {
		return nil, err
	}
	var p *parameter
	for _, name := range names {
		if p, err = get(tx, region(ctx), name); !isAbsent(err) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	v := &p.version
	if selector != "" {
		number, err := strconv.ParseInt(selector, 10, 64)
		if err == nil {
			v, err = history.Get(tx, historyKey(id(p.Region, p.Name), number).ID)
		}
		if err != nil {
			return nil, ssm.ParameterVersionNotFound("Systems Manager could not find version %s of %s. Verify the version and try again.", selector, p.Name)
		}
	}
	out, err := s.shape(p, v, decrypt)
	if err == nil && selector != "" {
		out.Selector = shape.Ptr(":" + selector)
	}
	return out, err
}

func (s *Service) shape(p *parameter, v *version, decrypt bool) (*ssm.Parameter, error) {
	value := v.Value
	if v.Type == ssm.ParameterTypeSecureString && decrypt {
		var err error
		if value, err = s.open(p.Region, p.Name, value); err != nil {
			return nil, err
		}
	}
	return &ssm.Parameter{Name: &p.Name, Type: shape.Ptr(v.Type), Value: &value, Version: shape.Ptr(v.Number),
		LastModifiedDate: shape.Ptr(time.UnixMilli(v.Modified).UTC()), ARN: shape.Ptr(s.arn(p.Region, p.Name)), DataType: shape.Ptr("text")}, nil
}

func (s *Service) GetParameter(ctx context.Context, in *ssm.GetParameterRequest) (*ssm.GetParameterResult, error) {
	out := new(ssm.GetParameterResult)
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		out.Parameter, err = s.find(ctx, tx, in.Name, shape.Val(in.WithDecryption))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) GetParameters(ctx context.Context, in *ssm.GetParametersRequest) (*ssm.GetParametersResult, error) {
	out := &ssm.GetParametersResult{Parameters: []ssm.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range in.Names {
			if seen[name] {
				continue
			}
			seen[name] = true
			p, err := s.find(ctx, tx, name, shape.Val(in.WithDecryption))
			var e *shape.Error
			if errors.As(err, &e) {
				out.InvalidParameters = append(out.InvalidParameters, name)
				continue
			}
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, *p)
		}
		return nil
	})
	return out, err
}

// after and next read and write a token: the name to go on after.
func after(token *string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(shape.Val(token))
	if err != nil || !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return "", ssm.InvalidNextToken("The specified token isn't valid.")
	}
	return string(raw), nil
}

func next(name string) *string {
	return shape.Ptr(base64.RawURLEncoding.EncodeToString([]byte(name)))
}

func size(n *int64, most int) int {
	if n == nil {
		return most
	}
	return int(*n)
}

// GetParametersByPath lists the parameters directly below a path, or all below it.
func (s *Service) GetParametersByPath(ctx context.Context, in *ssm.GetParametersByPathRequest) (*ssm.GetParametersByPathResult, error) {
	if !strings.HasPrefix(in.Path, "/") || !isName(in.Path) {
		return nil, invalid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
	}
	match, err := matcher(in.ParameterFilters, "Type", "KeyId")
	if err != nil {
		return nil, err
	}
	at, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	limit := size(in.MaxResults, 10)
	out := &ssm.GetParametersByPathResult{Parameters: []ssm.Parameter{}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		var fault error
		err := scan(tx, region(ctx), prefix, at, func(p *parameter) bool {
			if !shape.Val(in.Recursive) && strings.Contains(p.Name[len(prefix):], "/") || !match(p) {
				return true
			}
			if len(out.Parameters) == limit {
				out.NextToken = next(*out.Parameters[limit-1].Name)
				return false
			}
			var one *ssm.Parameter
			if one, fault = s.shape(p, &p.version, shape.Val(in.WithDecryption)); fault != nil {
				return false
			}
			out.Parameters = append(out.Parameters, *one)
			return true
		})
		return errors.Join(err, fault)
	})
	return out, err
}

// matcher makes a test of filters. Only the keys given are allowed; "tag" stands for tag:….
func matcher(filters []ssm.ParameterStringFilter, allowed ...string) (func(*parameter) bool, error) {
	var tests []func(*parameter) bool
	for _, f := range filters {
		kind, tag, _ := strings.Cut(f.Key, ":")
		if !slices.Contains(allowed, kind) {
			return nil, ssm.InvalidFilterKey("The following filter key is not valid: %s. Valid filter keys include: [%s].", f.Key, strings.Join(allowed, ", "))
		}
		option := shape.Val(f.Option)
		if option == "" {
			option = map[string]string{"Path": "OneLevel"}[kind]
			if option == "" {
				option = "Equals"
			}
		}
		if !slices.Contains(map[string][]string{"Name": {"Equals", "BeginsWith", "Contains"}, "Path": {"OneLevel", "Recursive"}}[kind], option) && (option != "Equals" || kind == "Path") {
			return nil, ssm.InvalidFilterOption("The following filter option is not valid: %s.", option)
		}
		if len(f.Values) == 0 && kind != "tag" {
			return nil, ssm.InvalidFilterValue("The following filter values are missing : null for filter key %s.", f.Key)
		}
		read := map[string]func(*parameter) string{
			"Name":     func(p *parameter) string { return p.Name },
			"Path":     func(p *parameter) string { return p.Name },
			"Type":     func(p *parameter) string { return p.Type },
			"Tier":     func(p *parameter) string { return p.Tier },
			"DataType": func(*parameter) string { return "text" },
			"KeyId": func(p *parameter) string {
				if p.Type == ssm.ParameterTypeSecureString {
					return defaultKey
				}
				return ""
			},
			"tag": func(p *parameter) string { return p.Tags[tag] },
		}[kind]
		tests = append(tests, func(p *parameter) bool {
			if _, ok := p.Tags[tag]; kind == "tag" && !ok {
				return false
			}
			have := read(p)
			return len(f.Values) == 0 || slices.ContainsFunc(f.Values, func(want string) bool { return compare(option, have, want) })
		})
	}
	return func(p *parameter) bool {
		for _, ok := range tests {
			if !ok(p) {
				return false
			}
		}
		return true
	}, nil
}

func compare(option, have, want string) bool {
	switch option {
	case "BeginsWith":
		return strings.HasPrefix(have, want) || strings.HasPrefix(have, "/"+want)
	case "Contains":
		return strings.Contains(have, want)
	case "Recursive", "OneLevel":
		rest, ok := strings.CutPrefix(have, strings.TrimSuffix(want, "/")+"/")
		return ok && (option == "Recursive" || !strings.Contains(rest, "/"))
	}
	return have == want
}

func (s *Service) DescribeParameters(ctx context.Context, in *ssm.DescribeParametersRequest) (*ssm.DescribeParametersResult, error) {
	if shape.Val(in.Shared) {
		return nil, invalid("Gatehouse does not support shared parameters.")
	}
	filters := slices.Clone(in.ParameterFilters)
	if len(in.Filters) > 0 && len(filters) > 0 {
		return nil, invalid("You can use either Filters or ParameterFilters in a single request.")
	}
	for _, f := range in.Filters { // the older form
		option := "Equals"
		if f.Key == "Name" {
			option = "BeginsWith"
		}
		filters = append(filters, ssm.ParameterStringFilter{Key: f.Key, Option: &option, Values: f.Values})
	}
	match, err := matcher(filters, "Name", "Path", "Type", "Tier", "DataType", "KeyId", "tag")
	if err != nil {
		return nil, err
	}
	at, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	limit := size(in.MaxResults, 50)
	out := &ssm.DescribeParametersResult{Parameters: []ssm.ParameterMetadata{}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		return scan(tx, region(ctx), "", at, func(p *parameter) bool {
			if !match(p) {
				return true
			}
			if len(out.Parameters) == limit {
				out.NextToken = next(*out.Parameters[limit-1].Name)
				return false
			}
			out.Parameters = append(out.Parameters, ssm.ParameterMetadata{Name: &p.Name, ARN: shape.Ptr(s.arn(p.Region, p.Name)), Type: &p.Type, KeyId: keyOf(p.Type),
				LastModifiedDate: shape.Ptr(time.UnixMilli(p.Modified).UTC()), LastModifiedUser: text(p.User), Description: text(p.Description),
				AllowedPattern: text(p.Pattern), Version: &p.Number, Tier: &p.Tier, Policies: []ssm.ParameterInlinePolicy{}, DataType: shape.Ptr("text")})
			return true
		})
	})
	return out, err
}

func keyOf(kind string) *string {
	if kind == ssm.ParameterTypeSecureString {
		return shape.Ptr(defaultKey)
	}
	return nil
}

// text returns nil for what has nothing to say.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// GetParameterHistory lists the versions of a parameter, the oldest first.
func (s *Service) GetParameterHistory(ctx context.Context, in *ssm.GetParameterHistoryRequest) (*ssm.GetParameterHistoryResult, error) {
	at, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParameterHistoryResult{Parameters: []ssm.ParameterHistory{}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		p, err := get(tx, region(ctx), in.Name)
		if err != nil {
			return err
		}
		list, more, err := history.List(tx, id(p.Region, p.Name), at, size(in.MaxResults, 50))
		if err != nil {
			return err
		}
		if more != "" {
			out.NextToken = next(more)
		}
		for _, v := range list {
			one, err := s.shape(p, v, shape.Val(in.WithDecryption))
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, ssm.ParameterHistory{Name: one.Name, Type: one.Type, KeyId: keyOf(v.Type), LastModifiedDate: one.LastModifiedDate,
				LastModifiedUser: text(v.User), Description: text(v.Description), Value: one.Value, AllowedPattern: text(v.Pattern), Version: one.Version,
				Labels: []string{}, Tier: shape.Ptr(v.Tier), Policies: []ssm.ParameterInlinePolicy{}, DataType: one.DataType})
		}
		return nil
	})
	return out, err
}

func (s *Service) DeleteParameter(ctx context.Context, in *ssm.DeleteParameterRequest) (*ssm.DeleteParameterResult, error) {
	err := s.DB.Update(ctx, func(tx *store.Tx) error { return remove(tx, region(ctx), in.Name) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, absent()
	}
	return &ssm.DeleteParameterResult{}, err
}

func (s *Service) DeleteParameters(ctx context.Context, in *ssm.DeleteParametersRequest) (*ssm.DeleteParametersResult, error) {
	var out *ssm.DeleteParametersResult
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		out = &ssm.DeleteParametersResult{DeletedParameters: []string{}, InvalidParameters: []string{}}
		for _, name := range in.Names {
			err := remove(tx, region(ctx), name)
			switch {
			case err == nil:
				out.DeletedParameters = append(out.DeletedParameters, name)
			case errors.Is(err, store.ErrNotFound):
				out.InvalidParameters = append(out.InvalidParameters, name)
			default:
				return err
			}
		}
		return nil
	})
	return out, err
}

// tagMap adds tags to what is there.
func tagMap(old map[string]string, add []ssm.Tag) (map[string]string, error) {
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range add {
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, ssm.TooManyTagsError("A parameter can have up to %d tags.", maxTags)
	}
	return tags, nil
}

// tagged applies f to the tags of a parameter.
func (s *Service) tagged(ctx context.Context, kind, name string, f func(map[string]string) (map[string]string, error)) error {
	if kind != ssm.ResourceTypeForTaggingParameter {
		return ssm.InvalidResourceType("Gatehouse has no resources of type %s.", kind)
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		p, err := get(tx, region(ctx), name)
		if isAbsent(err) {
			return ssm.InvalidResourceId("The resource ID %q isn't valid. Verify that you entered the correct ID and try again.", name)
		}
		if err != nil {
			return err
		}
		if p.Tags, err = f(p.Tags); err != nil {
			return err
		}
		return parameters.Put(tx, key(p), p)
	})
}

func (s *Service) AddTagsToResource(ctx context.Context, in *ssm.AddTagsToResourceRequest) (*ssm.AddTagsToResourceResult, error) {
	err := s.tagged(ctx, in.ResourceType, in.ResourceId, func(old map[string]string) (map[string]string, error) { return tagMap(old, in.Tags) })
	return &ssm.AddTagsToResourceResult{}, err
}

func (s *Service) RemoveTagsFromResource(ctx context.Context, in *ssm.RemoveTagsFromResourceRequest) (*ssm.RemoveTagsFromResourceResult, error) {
	err := s.tagged(ctx, in.ResourceType, in.ResourceId, func(old map[string]string) (map[string]string, error) {
		for _, k := range in.TagKeys {
			delete(old, k)
		}
		return old, nil
	})
	return &ssm.RemoveTagsFromResourceResult{}, err
}

func (s *Service) ListTagsForResource(ctx context.Context, in *ssm.ListTagsForResourceRequest) (*ssm.ListTagsForResourceResult, error) {
	if in.ResourceType != ssm.ResourceTypeForTaggingParameter {
		return nil, ssm.InvalidResourceType("Gatehouse has no resources of type %s.", in.ResourceType)
	}
	p, err := parameters.Cached(ctx, s.DB, id(region(ctx), in.ResourceId))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ssm.InvalidResourceId("The resource ID %q isn't valid. Verify that you entered the correct ID and try again.", in.ResourceId)
	}
	if err != nil {
		return nil, err
	}
	out := &ssm.ListTagsForResourceResult{TagList: []ssm.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		out.TagList = append(out.TagList, ssm.Tag{Key: k, Value: p.Tags[k]})
	}
	return out, nil
}
