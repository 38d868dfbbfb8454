package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// ProfileFile is the name, in a data directory, of the file that says how to reach the server that
// keeps its data there.
const ProfileFile = "server.json"

// Profile is how to reach a server, and as whom. The file that holds it is readable by its owner only.
type Profile struct {
	Endpoint  string      // "http://127.0.0.1:4566"
	Region    string      // where commands that name no region work
	Account   string      // 12 digits
	AccessKey string      // of the account's root
	Secret    seal.Secret // of that key
	CAFile    string      // the local authority's certificate, for clients that use TLS
	PID       int         // of the server that wrote the file last
}

// profileFile is the form on disk, which has the secret in it.
type profileFile struct {
	Endpoint        string `json:"endpoint"`
	Region          string `json:"region"`
	Account         string `json:"account"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	CAFile          string `json:"caFile,omitempty"`
	PID             int    `json:"pid"`
}

// ErrNoProfile is returned by [LoadProfile] for a directory in which no server ever ran.
var ErrNoProfile = errors.New("no Gatehouse server has run with this data directory")

// LoadProfile reads the profile in dir.
func LoadProfile(dir string) (*Profile, error) {
	path := filepath.Join(dir, ProfileFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoProfile, dir)
	}
	if err != nil {
		return nil, err
	}
	var f profileFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Profile{Endpoint: f.Endpoint, Region: f.Region, Account: f.Account, AccessKey: f.AccessKeyID,
		Secret: seal.Secret(f.SecretAccessKey), CAFile: f.CAFile, PID: f.PID}, nil
}

// Save writes p into dir, replacing what was there in one step.
func (p *Profile) Save(dir string) error {
	data, err := json.MarshalIndent(profileFile{Endpoint: p.Endpoint, Region: p.Region, Account: p.Account, AccessKeyID: p.AccessKey,
		SecretAccessKey: p.Secret.Reveal(), CAFile: p.CAFile, PID: p.PID}, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+ProfileFile+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(data, '\n'))
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, ProfileFile))
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
