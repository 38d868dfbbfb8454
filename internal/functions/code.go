package functions

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// collectAfter is how long after a change of code directories are looked through: longer than an
// invocation may take, so that no process still runs from one whose code was replaced.
const collectAfter = 20 * time.Minute

// upload is a deployment package that has been stored and unpacked.
type upload struct {
	sum  string // hex SHA-256
	size int64
	zip  []byte
}

// source says where the code of a request is.
type source struct {
	zip                  []byte
	bucket, key, version string
}

func sourceOf(zipFile []byte, bucket, key, version, image, mode, kms *string) (source, error) {
	switch {
	case shape.Val(image) != "":
		return source{}, unsupported("functions in container images (ImageUri)")
	case shape.Val(kms) != "":
		return source{}, unsupported("keys of KMS (SourceKMSKeyArn)")
	case shape.Val(mode) != "" && shape.Val(mode) != "COPY":
		return source{}, unsupported("S3ObjectStorageMode " + *mode)
	}
	src := source{zip: zipFile, bucket: shape.Val(bucket), key: shape.Val(key), version: shape.Val(version)}
	switch object := src.bucket != "" || src.key != ""; {
	case zipFile != nil && object:
		return src, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case zipFile == nil && !object:
		return src, invalid("Please provide a source for function code.")
	case object && (src.bucket == "" || src.key == ""):
		return src, invalid("S3Bucket and S3Key must be given together.")
	}
	return src, nil
}

// fetch reads, checks, stores and unpacks the code of a request.
func (s *Service) fetch(ctx context.Context, src source) (*upload, error) {
	archive := src.zip
	if archive == nil {
		var err error
		if archive, err = s.download(ctx, src); err != nil {
			return nil, err
		}
	} else if len(archive) > maxZipped {
		return nil, shape.Errorf("RequestEntityTooLargeException", 413, "Zipped size must be smaller than %d bytes", maxZipped)
	}
	if len(archive) == 0 {
		return nil, invalid("Uploaded file must be a non-empty zip")
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err == nil && len(z.File) == 0 {
		return nil, invalid("Uploaded file must be a non-empty zip")
	}
	p := &upload{zip: archive}
	if p.sum, p.size, err = s.DB.PutBlob(ctx, bytes.NewReader(archive)); err != nil {
		return nil, err
	}
	_, err = s.code.unpack(p.sum, archive)
	switch {
	case errors.Is(err, bundle.ErrTooLarge):
		return nil, invalid("Unzipped size must be smaller than %d bytes", bundle.MaxUnzipped)
	case errors.Is(err, bundle.ErrUnsafe):
		return nil, invalid("Could not unzip uploaded file. Please check your file, then try to upload again. (%s)", err)
	case errors.Is(err, bundle.ErrNotZip):
		return nil, invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	return p, err
}

// download reads code from a bucket.
func (s *Service) download(ctx context.Context, src source) ([]byte, error) {
	if s.Objects == nil {
		return nil, unsupported("code in a bucket: this server has none")
	}
	r, size, err := s.Objects.OpenObject(ctx, src.bucket, src.key, src.version)
	var e *shape.Error
	if errors.As(err, &e) {
		return nil, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > bundle.MaxUnzipped {
		return nil, invalid("Unzipped size must be smaller than %d bytes", bundle.MaxUnzipped)
	}
	var b bytes.Buffer
	b.Grow(int(size))
	if _, err := io.Copy(&b, r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// store runs f in a transaction in which a package can be linked. The blob may have gone since it was
// put, with the last function that had the same code: then it is put again.
func (s *Service) store(ctx context.Context, p *upload, f func(tx *store.Tx) error) error {
	for try := 0; ; try++ {
		err := s.DB.Update(ctx, f)
		if p == nil || !errors.Is(err, store.ErrNotFound) || try == 3 {
			return err
		}
		if _, _, err := s.DB.PutBlob(ctx, bytes.NewReader(p.zip)); err != nil {
			return err
		}
	}
}

// codeStore keeps unpacked code in a directory. Packages with the same content share one.
type codeStore struct {
	db  *store.DB
	dir string
	log *slog.Logger

	mu     sync.Mutex // held while directories come and go
	timer  *time.Timer
	closed bool
}

// path returns where a package is unpacked: as many directories as there are packages, so one level.
func (c *codeStore) path(sum string) (string, error) { return filepath.Abs(filepath.Join(c.dir, sum)) }

// unpack returns the directory of a package, and unpacks it there unless it has been.
func (c *codeStore) unpack(sum string, archive []byte) (string, error) {
	dir, err := c.path(sum)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return dir, bundle.Extract(archive, dir)
}

// open returns the directory of a package, unpacked from the store if it is not there.
func (c *codeStore) open(ctx context.Context, sum string) (string, error) {
	dir, err := c.path(sum)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	st, err := os.Stat(dir)
	c.mu.Unlock()
	if err == nil && st.IsDir() {
		return dir, nil
	}
	r, err := c.db.OpenBlob(ctx, sum)
	if err != nil {
		return "", fmt.Errorf("functions: the code %s: %w", sum, err)
	}
	defer r.Close()
	archive, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	return c.unpack(sum, archive)
}

// collectSoon has unused directories removed when nothing can be using them any more.
func (c *codeStore) collectSoon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil && !c.closed {
		c.timer = time.AfterFunc(collectAfter, func() {
			c.mu.Lock()
			c.timer = nil
			c.mu.Unlock()
			if err := c.collect(context.Background()); err != nil {
				c.log.Warn("unused code of functions could not be removed", "error", err)
			}
		})
	}
}

func (c *codeStore) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// collect removes the directories of packages that nobody owns.
func (c *codeStore) collect(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if len(e.Name()) != 64 || !e.IsDir() { // no package
			continue
		}
		r, err := c.db.OpenBlob(ctx, e.Name())
		if err == nil {
			r.Close()
			continue
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := removeAll(filepath.Join(c.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes a directory so that what is left by a crash is no package.
func removeAll(dir string) error {
	gone := filepath.Join(filepath.Dir(dir), ".extract-"+filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}
