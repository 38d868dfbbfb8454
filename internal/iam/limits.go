package iam

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Quotas of IAM. Where AWS raises one on request, this is what it can be raised to, for there is nobody
// here to ask. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxUsers            = 5000
	maxGroups           = 500
	maxRoles            = 5000
	maxPolicies         = 5000
	maxInstanceProfiles = 5000
	maxOIDCProviders    = 700
	maxSAMLProviders    = 100
	maxMFADevices       = 5000 // virtual ones; as many as users

	maxUserInline    = 2048 // characters without white space, of all of them together
	maxGroupInline   = 5120
	maxRoleInline    = 10240
	maxManagedPolicy = 6144
	maxTrustPolicy   = 4096

	maxUserAttached  = 20
	maxGroupAttached = 10
	maxRoleAttached  = 20

	maxTags          = 50
	maxVersions      = 5
	maxGroupsOfUser  = 10
	maxKeysOfUser    = 2
	maxDevicesOfUser = 8
	maxClientIDs     = 100
	maxThumbprints   = 5
)

// count returns the number of documents of a parent.
func (s *Service) count(ctx context.Context, kind, parent string) (n int64, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM documents WHERE kind = $1 AND parent = $2", kind, parent).Scan(&n)
	})
	return n, err
}

// room tells whether there is room for one more document of a kind. It is asked before the transaction
// that adds it, so that two do not wait for each other: a quota is no lock.
func (s *Service) room(ctx context.Context, kind, parent, quota string, most int64) error {
	n, err := s.count(ctx, kind, parent)
	if err == nil && n >= most {
		return iam.LimitExceededException("Cannot exceed quota for %s: %d", quota, most)
	}
	return err
}

// window is the part of a list that a request asks for.
type window struct {
	after string
	limit int
}

const (
	defaultItems = 100
	maxScan      = 1000 // documents that are looked at for one page: AWS too may return fewer than were asked for
)

// windowOf reads Marker and MaxItems.
func windowOf(marker *string, items *int64) (window, error) {
	w := window{limit: defaultItems}
	if items != nil {
		w.limit = int(*items)
	}
	if marker != nil {
		b, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil || !validText(string(b)) {
			return w, shape.Errorf("ValidationError", 400, "Invalid Marker.")
		}
		w.after = string(b)
	}
	return w, nil
}

// validText tells whether the store can compare with s.
func validText(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.Contains(s, "\x00")
}

// more makes IsTruncated and Marker of the id to go on after; "" says that there is no more.
func more(next string) (truncated *bool, marker *string) {
	if next == "" {
		return shape.Ptr(false), nil
	}
	return shape.Ptr(true), shape.Ptr(base64.RawURLEncoding.EncodeToString([]byte(next)))
}

// list returns a page of the documents of a parent, each as show has it; those for which it says false
// are left out.
func list[T, E any](ctx context.Context, db *store.DB, kind store.Kind[T], parent string, w window, show func(*store.Tx, *T) (E, bool, error)) (out []E, next string, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		out, next = []E{}, w.after
		for seen := 0; ; {
			page, after, err := kind.List(tx, parent, next, w.limit-len(out))
			if err != nil {
				return err
			}
			for _, v := range page {
				e, ok, err := show(tx, v)
				if err != nil {
					return err
				}
				if ok {
					out = append(out, e)
				}
			}
			seen, next = seen+len(page), after
			if next == "" || len(out) == w.limit || seen >= maxScan {
				return nil
			}
		}
	})
	return out, next, err
}

// cut returns a page of a list in memory, whose elements are ordered by key.
func cut[E any](all []E, w window, key func(E) string) (page []E, next string) {
	i := 0
	if w.after != "" {
		i, _ = slices.BinarySearchFunc(all, w.after, func(e E, after string) int { return strings.Compare(key(e), after) })
		for i < len(all) && key(all[i]) == w.after {
			i++
		}
	}
	page = slices.Clone(all[i:min(i+w.limit, len(all))])
	if page == nil {
		page = []E{}
	}
	if i+len(page) < len(all) {
		next = key(page[len(page)-1])
	}
	return page, next
}

// under tells whether a path begins as PathPrefix says.
func under(path string, prefix *string) bool { return strings.HasPrefix(path, shape.Val(prefix)) }

// pathOf returns the path that a request names.
func pathOf(p *string) string {
	if p == nil || *p == "" {
		return "/"
	}
	return *p
}

// timeOf returns a time as IAM tells it: to the second.
func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC().Truncate(time.Second) }

func timePtr(ms int64) *time.Time { return shape.Ptr(timeOf(ms)) }

// encodeDocument writes a policy as the API gives it: URL-encoded (RFC 3986).
func encodeDocument(doc string) string {
	return strings.ReplaceAll(url.QueryEscape(doc), "+", "%20")
}

// setTags adds tags to what there is. Keys differ by more than case, and what AWS keeps for itself cannot
// be set. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
func setTags(tags map[string]string, add []iam.Tag) error {
	seen := map[string]bool{}
	for _, t := range add {
		lower := strings.ToLower(t.Key)
		if seen[lower] {
			return iam.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[lower] = true
		for k := range tags {
			if k != t.Key && strings.ToLower(k) == lower {
				delete(tags, k)
			}
		}
		tags[t.Key] = t.Value
	}
	n := 0
	for k := range tags {
		if !strings.HasPrefix(k, "aws:") {
			n++
		}
	}
	if n > maxTags {
		return iam.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	return nil
}

// newTags makes the tags of a new thing.
func newTags(add []iam.Tag) (map[string]string, error) {
	tags := make(map[string]string, len(add))
	return tags, setTags(tags, add)
}

// retag sets tags, which may be nil, as a Tag operation does.
func retag(tags *map[string]string, add []iam.Tag) error {
	for _, t := range add {
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return iam.InvalidInputException("Tag keys that begin with aws: are reserved.")
		}
	}
	if *tags == nil {
		*tags = map[string]string{}
	}
	return setTags(*tags, add)
}

func untag(tags map[string]string, keys []string) {
	for _, k := range keys {
		for have := range tags {
			if strings.EqualFold(have, k) {
				delete(tags, have)
			}
		}
	}
}

func tagList(tags map[string]string) []iam.Tag {
	out := make([]iam.Tag, 0, len(tags))
	for k, v := range tags {
		out = append(out, iam.Tag{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b iam.Tag) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// tagPage returns a page of tags.
func tagPage(tags map[string]string, marker *string, items *int64) (page []iam.Tag, truncated *bool, next *string, err error) {
	w, err := windowOf(marker, items)
	if err != nil {
		return nil, nil, nil, err
	}
	page, after := cut(tagList(tags), w, func(t iam.Tag) string { return t.Key })
	truncated, next = more(after)
	return page, truncated, next, nil
}

// inlineSize is the size of inline policies together, as the quota counts it.
func inlineSize(inline map[string]string) int {
	n := 0
	for _, doc := range inline {
		n += policy.Size(doc)
	}
	return n
}
