package httpapis

import (
	"errors"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// noAPI is AWS's answer for an unknown API; account and id as AWS writes them.
func (s *Service) noAPI(id string) error {
	return v2.NotFoundException("Invalid API identifier specified %s:%s", s.account, id)
}

// missing turns store.ErrNotFound into AWS's answer for an unknown part of an API.
func missing(err error, kind string) error {
	if errors.Is(err, store.ErrNotFound) {
		return v2.NotFoundException("Invalid %s identifier specified", kind)
	}
	return err
}

// unsupported refuses, by name, what AWS has and this server has not.
func unsupported(what string) error {
	return v2.BadRequestException("%s not supported by Gatehouse yet", what)
}

func bad(format string, args ...any) error { return v2.BadRequestException(format, args...) }
