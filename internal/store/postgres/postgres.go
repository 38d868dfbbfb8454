package postgres

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"

	"github.com/gatehouse-dev/gatehouse/internal/store/backend"
)

type Options struct {
	URL        string
	Migrations fs.FS
	Logger     *slog.Logger
}

func Open(ctx context.Context, o Options) (backend.Engine, error) {
	return nil, errors.New("store: PostgreSQL is not part of this build")
}
