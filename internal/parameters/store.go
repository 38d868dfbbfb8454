package parameters

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// maxHistory is how many versions of a parameter are kept.
const maxHistory = 100

func key(p *parameter) store.Key { return store.Key{ID: id(p.Region, p.Name), Parent: p.Region} }

func historyKey(parameterID string, number int64) store.Key {
	return store.Key{ID: fmt.Sprintf("%s#%020d", parameterID, number), Parent: parameterID}
}

func absent() error { return ssm.ParameterNotFound("") } // AWS gives no text

// get returns a parameter.
func get(tx *store.Tx, region, name string) (*parameter, error) {
	p, err := parameters.Get(tx, id(region, name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, absent()
	}
	return p, err
}

// put stores a new version of a parameter, and forgets the oldest if there are too many.
func put(tx *store.Tx, p *parameter) error {
	if err := parameters.Put(tx, key(p), p); err != nil {
		return err
	}
	pid := id(p.Region, p.Name)
	if err := history.Put(tx, historyKey(pid, p.Number), &p.version); err != nil {
		return err
	}
	if p.Number <= maxHistory {
		return nil
	}
	err := history.Delete(tx, historyKey(pid, p.Number-maxHistory).ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// remove deletes a parameter with its versions, or returns store.ErrNotFound.
func remove(tx *store.Tx, region, name string) error {
	if err := parameters.Delete(tx, id(region, name)); err != nil {
		return err
	}
	_, err := history.DeleteAll(tx, id(region, name))
	return err
}

// scan calls f for the parameters of a region that are below a prefix, "" or a path with its slash, and
// whose names follow after, in order, until it returns false.
func scan(tx *store.Tx, region, prefix, after string, f func(*parameter) bool) error {
	const page = 100
	after = max(after, prefix) // no name ends with the slash that ends a path
	at := id(region, after)
	for {
		list, next, err := parameters.List(tx, region, at, page)
		if err != nil {
			return err
		}
		for _, p := range list {
			if !strings.HasPrefix(p.Name, prefix) || !f(p) {
				return nil
			}
		}
		if next == "" {
			return nil
		}
		at = next
	}
}
