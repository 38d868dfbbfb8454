package restapis

import (
	"errors"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// noAPI is AWS's answer for an unknown API; account and id as AWS writes them.
func (s *Service) noAPI(id string) error {
	return v1.NotFoundException("Invalid API identifier specified %s:%s", s.account, id)
}

// missing turns store.ErrNotFound into AWS's answer for an unknown thing.
func missing(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return v1.NotFoundException("Invalid %s identifier specified", what)
	}
	return err
}

// taken turns store.ErrExists into a conflict with the given text.
func taken(err error, format string, args ...any) error {
	if errors.Is(err, store.ErrExists) {
		return v1.ConflictException(format, args...)
	}
	return err
}

// unsupported refuses, by name, what AWS has and this server has not.
func unsupported(what string) error {
	return v1.BadRequestException("%s not supported by Gatehouse yet", what)
}

func bad(format string, args ...any) error { return v1.BadRequestException(format, args...) }
