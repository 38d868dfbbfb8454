package stacks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

var (
	stacks    = store.Kind[Stack]{Name: "stacks.stack"}
	templates = store.Kind[Template]{Name: "stacks.template"}
)

// errLost is returned to an operation that another server has taken over.
var errLost = errors.New("stacks: the operation was taken over")

// stackKey: a name is taken as long as the stack lives; deleted stacks are found by ARN only.
func stackKey(st *Stack) store.Key {
	if st.Deleted != 0 {
		return store.Key{ID: st.ID, Parent: deletedParent(st.Region)}
	}
	return store.Key{ID: st.ID, Parent: st.Region, Name: st.Name}
}

func deletedParent(region string) string { return region + "/deleted" }

// isID tells a stack's ARN from its name.
func isID(name string) bool { return strings.HasPrefix(name, "arn:") }

// lookup finds a stack of the region by name or ARN; deleted ones by ARN.
func lookup(tx *store.Tx, region, name string) (*Stack, error) {
	if !isID(name) {
		return stacks.ByName(tx, region, name)
	}
	st, err := stacks.Get(tx, name)
	if err == nil && st.Region != region {
		return nil, store.ErrNotFound
	}
	return st, err
}

func putStack(tx *store.Tx, st *Stack) error {
	st.Rev++
	return stacks.Put(tx, stackKey(st), st)
}

// putTemplate stores a text for a stack and returns its id.
func putTemplate(tx *store.Tx, stackID string, text []byte) (string, error) {
	id := templateID(stackID, text)
	return id, templates.Put(tx, store.Key{ID: id, Parent: stackID}, &Template{text})
}

func templateID(stackID string, text []byte) string {
	sum := sha256.Sum256(text)
	return stackID + "#" + hex.EncodeToString(sum[:8])
}

// keepTemplate deletes the templates of a stack but for one and those of its change sets.
func keepTemplate(tx *store.Tx, stackID string, id string) error {
	keep := []string{id}
	if st, err := stacks.Get(tx, stackID); err != nil {
		return err
	} else if st.Prior != nil {
		keep = append(keep, st.Prior.Template)
	}
	sets, _, err := changeSets.List(tx, stackID, "", 0)
	if err != nil {
		return err
	}
	for _, c := range sets {
		keep = append(keep, c.Target.Template)
	}
	rows, err := tx.Query("SELECT id FROM documents WHERE kind = $1 AND parent = $2", templates.Name, stackID)
	if err != nil {
		return err
	}
	var drop []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return err
		}
		if !slices.Contains(keep, id) {
			drop = append(drop, id)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range drop {
		if err := templates.Delete(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func decodeJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

// encode makes a stored document: JSON, sealed if there is a key and bound to where it is stored.
func (s *Service) encode(v any, context string) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil || s.o.Seal == nil {
		return data, err
	}
	return s.o.Seal.Seal(data, context), nil
}

func (s *Service) decode(data []byte, context string, v any) error {
	if len(data) > 0 && data[0] != '{' {
		if s.o.Seal == nil {
			return fmt.Errorf("stacks: %s is sealed, and there is no key", context)
		}
		var err error
		if data, err = s.o.Seal.Open(data, context); err != nil {
			return fmt.Errorf("stacks: %s: %w", context, err)
		}
	}
	return decodeJSON(data, v)
}

func (s *Service) putResource(tx *store.Tx, stackID string, r *Resource) error {
	doc, err := s.encode(r, "stacks.resource/"+stackID+"/"+r.Logical)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO stack_resources (stack_id, logical, physical, doc) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (stack_id, logical) DO UPDATE SET physical = excluded.physical, doc = excluded.doc",
		stackID, r.Logical, r.Physical, doc)
	return err
}

func dropResource(tx *store.Tx, stackID, logical string) error {
	_, err := tx.Exec("DELETE FROM stack_resources WHERE stack_id = $1 AND logical = $2", stackID, logical)
	return err
}

// resources returns up to limit resources of a stack after a logical id, in order; all if limit is 0.
func (s *Service) resources(tx *store.Tx, stackID, after string, limit int) ([]*Resource, error) {
	query, args := "SELECT logical, doc FROM stack_resources WHERE stack_id = $1 AND logical > $2 ORDER BY logical", []any{stackID, after}
	if limit > 0 {
		query, args = query+" LIMIT $3", append(args, limit)
	}
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Resource
	for rows.Next() {
		var logical string
		var doc []byte
		if err := rows.Scan(&logical, &doc); err != nil {
			return nil, err
		}
		r := new(Resource)
		if err := s.decode(doc, "stacks.resource/"+stackID+"/"+logical, r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// resource returns one resource, or ErrNotFound.
func (s *Service) resource(tx *store.Tx, stackID, logical string) (*Resource, error) {
	var doc []byte
	if err := tx.QueryRow("SELECT doc FROM stack_resources WHERE stack_id = $1 AND logical = $2", stackID, logical).Scan(&doc); err != nil {
		return nil, err
	}
	r := new(Resource)
	return r, s.decode(doc, "stacks.resource/"+stackID+"/"+logical, r)
}

// byPhysical returns the id of a living stack of the region with a resource of that physical id, and of that
// type if it is not "".
func (s *Service) byPhysical(tx *store.Tx, region, physical, typ string) (string, error) {
	rows, err := tx.Query("SELECT stack_id, logical, doc FROM stack_resources WHERE physical = $1", physical)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var id, logical string
		var doc []byte
		if err := rows.Scan(&id, &logical, &doc); err != nil {
			return "", err
		}
		if typ != "" {
			row := new(Resource)
			if err := s.decode(doc, "stacks.resource/"+id+"/"+logical, row); err != nil {
				return "", err
			}
			if row.Type != typ || !row.Exists {
				continue
			}
		}
		if st, err := stacks.Get(tx, id); err == nil && st.Region == region && st.Deleted == 0 {
			return id, nil
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	return "", store.ErrNotFound
}

// putEvents appends to a stack's history.
func (s *Service) putEvents(tx *store.Tx, stackID string, events []*Event) error {
	if len(events) == 0 {
		return nil
	}
	var seq int64
	if err := tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM stack_events WHERE stack_id = $1", stackID).Scan(&seq); err != nil {
		return err
	}
	for _, e := range events {
		seq++
		doc, err := s.encode(e, eventContext(stackID, seq))
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO stack_events (stack_id, seq, doc) VALUES ($1, $2, $3)", stackID, seq, doc); err != nil {
			return err
		}
	}
	return nil
}

func eventContext(stackID string, seq int64) string {
	return fmt.Sprintf("stacks.event/%s/%d", stackID, seq)
}

// events returns up to limit events before a number, newest first; before 0 begins with the newest.
func (s *Service) events(tx *store.Tx, stackID string, before int64, limit int) ([]*Event, error) {
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := tx.Query("SELECT seq, doc FROM stack_events WHERE stack_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3", stackID, before, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Event
	for rows.Next() {
		e := new(Event)
		var doc []byte
		if err := rows.Scan(&e.Seq, &doc); err != nil {
			return nil, err
		}
		if err := s.decode(doc, eventContext(stackID, e.Seq), e); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// putOperation stores a new operation of a stack, owned by this server.
func (s *Service) putOperation(tx *store.Tx, stackID string, op *Operation) error {
	doc, err := s.encode(op, "stacks.operation/"+stackID)
	if err != nil {
		return err
	}
	n, err := tx.Exec("INSERT INTO stack_operations (stack_id, owner, until, signal, doc) VALUES ($1, $2, $3, '', $4) ON CONFLICT DO NOTHING",
		stackID, s.owner, s.leaseEnd(), doc)
	if err == nil && n == 0 {
		err = fmt.Errorf("stacks: %s has an operation already: %w", stackID, store.ErrConflict)
	}
	return err
}

// renew proves that this server still owns the operation, stores it if op is not nil, and returns the
// signal that was left for it.
func (s *Service) renew(tx *store.Tx, stackID string, op *Operation) (signal string, err error) {
	if op == nil {
		err = tx.QueryRow("UPDATE stack_operations SET until = $1 WHERE stack_id = $2 AND owner = $3 RETURNING signal",
			s.leaseEnd(), stackID, s.owner).Scan(&signal)
	} else {
		var doc []byte
		if doc, err = s.encode(op, "stacks.operation/"+stackID); err != nil {
			return "", err
		}
		err = tx.QueryRow("UPDATE stack_operations SET until = $1, doc = $2 WHERE stack_id = $3 AND owner = $4 RETURNING signal",
			s.leaseEnd(), doc, stackID, s.owner).Scan(&signal)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = errLost
	}
	return signal, err
}

func (s *Service) leaseEnd() int64 { return s.o.Now().Add(leaseTime).UnixMilli() }

func (s *Service) operation(tx *store.Tx, stackID string) (*Operation, error) {
	var doc []byte
	if err := tx.QueryRow("SELECT doc FROM stack_operations WHERE stack_id = $1", stackID).Scan(&doc); err != nil {
		return nil, err
	}
	op := new(Operation)
	return op, s.decode(doc, "stacks.operation/"+stackID, op)
}

func dropOperation(tx *store.Tx, stackID string) error {
	_, err := tx.Exec("DELETE FROM stack_operations WHERE stack_id = $1", stackID)
	return err
}

// exportValue returns the value of an export of the region.
func exportValue(tx *store.Tx, region, name string) (value, stackID string, err error) {
	err = tx.QueryRow("SELECT value, stack_id FROM stack_exports WHERE region = $1 AND name = $2", region, name).Scan(&value, &stackID)
	return value, stackID, err
}

// importers returns the names of the stacks that import, in order.
func importers(tx *store.Tx, region, name string) ([]string, error) {
	ids, err := column(tx, "SELECT stack_id FROM stack_imports WHERE region = $1 AND name = $2", region, name)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, id := range ids {
		names = append(names, stackName(id))
	}
	slices.Sort(names)
	return names, nil
}

// stackName cuts a stack's name out of its ARN.
func stackName(id string) string {
	_, rest, _ := strings.Cut(id, ":stack/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func column(tx *store.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// setImports replaces what a stack imports.
func setImports(tx *store.Tx, region, stackID string, names []string) error {
	if _, err := tx.Exec("DELETE FROM stack_imports WHERE stack_id = $1", stackID); err != nil {
		return err
	}
	return addImports(tx, region, stackID, names)
}

func addImports(tx *store.Tx, region, stackID string, names []string) error {
	for _, n := range names {
		if _, err := tx.Exec("INSERT INTO stack_imports (region, name, stack_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", region, n, stackID); err != nil {
			return err
		}
	}
	return nil
}

// setExports replaces what a stack exports, or says why it cannot.
func setExports(tx *store.Tx, st *Stack, outputs []Output) error {
	if err := checkExports(tx, st, outputs); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM stack_exports WHERE stack_id = $1", st.ID); err != nil {
		return err
	}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if _, err := tx.Exec("INSERT INTO stack_exports (region, name, stack_id, value) VALUES ($1, $2, $3, $4)", st.Region, o.Export, st.ID, o.Value); err != nil {
			return err
		}
	}
	return nil
}

// checkExports tells whether a stack may export just these outputs. Values that are not known yet pass.
func checkExports(tx *store.Tx, st *Stack, outputs []Output) error {
	next := map[string]Output{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if prev, ok := next[o.Export]; ok {
			return invalid("Template error: outputs %s and %s have the same export name %s", prev.Key, o.Key, o.Export)
		}
		next[o.Export] = o
		_, owner, err := exportValue(tx, st.Region, o.Export)
		if err == nil && owner != st.ID {
			return invalid("Export with name %s is already exported by stack %s", o.Export, stackName(owner))
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	names, err := column(tx, "SELECT name FROM stack_exports WHERE stack_id = $1 ORDER BY name", st.ID)
	if err != nil {
		return err
	}
	for _, name := range names {
		o, stays := next[name]
		value, _, err := exportValue(tx, st.Region, name)
		if err != nil {
			return err
		}
		if stays && (o.Value == value || isUnknown(o.Value)) {
			continue
		}
		users, err := importers(tx, st.Region, name)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			continue
		}
		if stays {
			return invalid("Cannot update export %s as it is in use by %s", name, enumerate(users))
		}
		return invalid("Export %s cannot be deleted as it is in use by %s", name, enumerate(users))
	}
	return nil
}

// enumerate joins names as CloudFormation does: "a, b and c".
func enumerate(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// view runs f and returns its value.
func view[T any](ctx context.Context, db *store.DB, f func(tx *store.Tx) (T, error)) (v T, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		v, err = f(tx)
		return err
	})
	return v, err
}
