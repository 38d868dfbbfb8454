package restapis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// The documents of API keys. A key's value is sealed in its document, and found by its hash.
var (
	keys      = store.Kind[apiKey]{Name: "restapis.key"}        // in a region
	keyValues = store.Kind[keyValue]{Name: "restapis.keyvalue"} // REGION/hash
)

type apiKey struct {
	Region string
	v1.ApiKey
	Sealed []byte // the value
}

type keyValue struct{ Key string }

// API key values: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html
var keyText = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

func valueID(region, value string) string {
	sum := sha256.Sum256([]byte(value))
	return region + "/" + hex.EncodeToString(sum[:])
}

func (s *Service) sealValue(k *apiKey, value string) {
	k.Sealed = s.box.Seal([]byte(value), "restapis.key "+*k.Id)
}

func (s *Service) value(k *apiKey) (seal.Secret, error) {
	b, err := s.box.Open(k.Sealed, "restapis.key "+*k.Id)
	return seal.Secret(b), err
}

// keyAnswer is a key as its owner sees it.
func (s *Service) keyAnswer(k *apiKey, withValue bool) (*v1.ApiKey, error) {
	out := k.ApiKey
	if out.StageKeys == nil {
		out.StageKeys = []string{}
	}
	if withValue {
		v, err := s.value(k)
		if err != nil {
			return nil, err
		}
		out.Value = shape.Ptr(string(v))
	}
	return &out, nil
}

func (s *Service) CreateApiKey(ctx context.Context, in *v1.CreateApiKeyRequest) (*v1.ApiKey, error) {
	var k *apiKey
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		k, err = s.createKey(ctx, tx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(k, true)
}

func (s *Service) createKey(ctx context.Context, tx *store.Tx, in *v1.CreateApiKeyRequest) (*apiKey, error) {
	value := shape.Val(in.Value)
	if value == "" {
		value = ident.Random(ident.AlphaNum, 40)
	}
	if len(value) < 20 {
		return nil, bad("API Key value should be at least 20 characters")
	}
	if len(value) < 20 || len(value) > 128 || !keyText.MatchString(value) {
		return nil, bad("API Key value should have at most 128 characters of a-zA-Z0-9_-")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	now := tx.Now().UTC()
	k := &apiKey{Region: region(ctx), ApiKey: v1.ApiKey{Id: shape.Ptr(newID(ctx, longID)), Name: in.Name, CustomerId: in.CustomerId, Description: in.Description,
		Enabled: or(in.Enabled, false), CreatedDate: &now, LastUpdatedDate: &now, Tags: in.Tags}}
	for _, sk := range in.StageKeys {
		if err := s.stageKey(ctx, tx, shape.Val(sk.RestApiId)+"/"+shape.Val(sk.StageName)); err != nil {
			return nil, err
		}
		k.StageKeys = append(k.StageKeys, *sk.RestApiId+"/"+*sk.StageName)
	}
	s.sealValue(k, value)
	if err := keyValues.Insert(tx, store.Key{ID: valueID(k.Region, value)}, &keyValue{*k.Id}); err != nil {
		return nil, taken(err, "API Key already exists")
	}
	return k, keys.Insert(tx, store.Key{ID: *k.Id, Parent: k.Region}, k)
}

// stageKey checks that API/STAGE is a stage of the region.
func (s *Service) stageKey(ctx context.Context, tx *store.Tx, name string) error {
	id, stage, _ := strings.Cut(name, "/")
	if _, err := s.api(ctx, tx, id); err != nil {
		return err
	}
	_, err := stages.Get(tx, id+"/"+stage)
	return missing(err, "stage")
}

const noKey = "API Key"

// key returns a key of the caller's region.
func (s *Service) key(ctx context.Context, tx *store.Tx, id string) (*apiKey, error) {
	k, err := keys.Get(tx, id)
	if err == nil && k.Region != region(ctx) {
		err = store.ErrNotFound
	}
	return k, missing(err, noKey)
}

func (s *Service) GetApiKey(ctx context.Context, in *v1.GetApiKeyRequest) (out *v1.ApiKey, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		k, err := s.key(ctx, tx, in.ApiKey)
		if err != nil {
			return err
		}
		out, err = s.keyAnswer(k, shape.Val(in.IncludeValue))
		return err
	})
	return out, err
}

func (s *Service) GetApiKeys(ctx context.Context, in *v1.GetApiKeysRequest) (*v1.ApiKeys, error) {
	out := &v1.ApiKeys{Items: []v1.ApiKey{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		out.Items = out.Items[:0]
		n, err := limitOf(in.Limit)
		if err != nil {
			return err
		}
		list, _, err := keys.List(tx, region(ctx), shape.Val(in.Position), 0)
		if err != nil {
			return err
		}
		for _, k := range list {
			if in.NameQuery != nil && !strings.Contains(strings.ToLower(shape.Val(k.Name)), strings.ToLower(*in.NameQuery)) ||
				in.CustomerId != nil && shape.Val(k.CustomerId) != *in.CustomerId {
				continue
			}
			if n > 0 && len(out.Items) == n {
				out.Position = out.Items[n-1].Id
				break
			}
			a, err := s.keyAnswer(k, shape.Val(in.IncludeValues))
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// keyFields is what can be patched of an API key.
var keyFields = []field[apiKey]{
	{"/customerId", "replace", setText(func(k *apiKey) **string { return &k.CustomerId })},
	{"/description", "replace", setText(func(k *apiKey) **string { return &k.Description })},
	{"/enabled", "replace", setBool(func(k *apiKey) **bool { return &k.Enabled })},
	{"/name", "replace", setText(func(k *apiKey) **string { return &k.Name })},
	{"/stages", "add remove", setElement(func(k *apiKey) *[]string { return &k.StageKeys })},
}

func (s *Service) UpdateApiKey(ctx context.Context, in *v1.UpdateApiKeyRequest) (out *v1.ApiKey, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		k, err := s.key(ctx, tx, in.ApiKey)
		if err != nil {
			return err
		}
		had := slices.Clone(k.StageKeys)
		if err := apply(keyFields, k, in.PatchOperations); err != nil {
			return err
		}
		for _, name := range k.StageKeys {
			if slices.Contains(had, name) {
				continue
			}
			if err := s.stageKey(ctx, tx, name); err != nil {
				return err
			}
		}
		now := tx.Now().UTC()
		k.LastUpdatedDate = &now
		if out, err = s.keyAnswer(k, false); err != nil {
			return err
		}
		return keys.Put(tx, store.Key{ID: *k.Id, Parent: k.Region}, k)
	})
	return out, err
}

func (s *Service) DeleteApiKey(ctx context.Context, in *v1.DeleteApiKeyRequest) (*v1.DeleteApiKeyResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		k, err := s.key(ctx, tx, in.ApiKey)
		if err != nil {
			return err
		}
		v, err := s.value(k)
		if err != nil {
			return err
		}
		in, err := plansOf(tx, *k.Id)
		if err != nil {
			return err
		}
		for _, p := range in.Plans {
			if err := planKeys.Delete(tx, p+"/"+*k.Id); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if len(in.Plans) > 0 {
			if err := keyPlans.Delete(tx, *k.Id); err != nil {
				return err
			}
		}
		if err := keyValues.Delete(tx, valueID(k.Region, string(v))); err != nil {
			return err
		}
		if err := dropUsage(tx, "", *k.Id); err != nil {
			return err
		}
		return keys.Delete(tx, *k.Id)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteApiKeyResponse{}, nil
}

// maxKeysFile is the size of a file of API keys, in bytes.
const maxKeysFile = 6 << 20

// ImportApiKeys makes keys of a CSV file with the columns Name, key, Description, Enabled and UsageplanIds, and puts
// them into the usage plans. A line that cannot be taken is a warning, unless warnings are to fail.
func (s *Service) ImportApiKeys(ctx context.Context, in *v1.ImportApiKeysRequest) (*v1.ApiKeyIds, error) {
	if in.Format != v1.ApiKeysFormatCsv {
		return nil, bad("Invalid API key format specified. Must be one of: [csv]")
	}
	if len(in.Body) > maxKeysFile {
		return nil, bad("The file of API keys is too large")
	}
	r := csv.NewReader(bytes.NewReader(in.Body))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, bad("Failed to parse the file of API keys: %v", err)
	}
	col := map[string]int{}
	for i, name := range rows[0] {
		col[strings.ToLower(strings.TrimSpace(name))] = i
	}
	if _, ok := col["key"]; !ok {
		return nil, bad("Missing required column: key")
	}
	if _, ok := col["name"]; !ok {
		return nil, bad("Missing required column: name")
	}
	out := &v1.ApiKeyIds{}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		out.Ids, out.Warnings = []string{}, []string{}
		for n, row := range rows[1:] {
			cell := func(name string) string {
				if i, ok := col[name]; ok && i < len(row) {
					return strings.TrimSpace(row[i])
				}
				return ""
			}
			enabled := cell("enabled") == "" || strings.EqualFold(cell("enabled"), "true")
			k, err := s.createKey(ctx, tx, &v1.CreateApiKeyRequest{Name: opt(cell("name")), Value: opt(cell("key")), Description: opt(cell("description")), Enabled: &enabled})
			var refused *shape.Error
			if errors.As(err, &refused) {
				out.Warnings = append(out.Warnings, "Line "+itoa(n+2)+": "+refused.Message)
				continue
			}
			if err != nil {
				return err
			}
			out.Ids = append(out.Ids, *k.Id)
			for plan := range strings.SplitSeq(cell("usageplanids"), ",") {
				if plan = strings.TrimSpace(plan); plan == "" {
					continue
				}
				err := s.addPlanKey(ctx, tx, plan, k)
				if errors.As(err, &refused) {
					out.Warnings = append(out.Warnings, "Line "+itoa(n+2)+": "+refused.Message)
				} else if err != nil {
					return err
				}
			}
		}
		if shape.Val(in.FailOnWarnings) && len(out.Warnings) > 0 {
			return bad("Import failed on warnings: %s", strings.Join(out.Warnings, "; "))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
