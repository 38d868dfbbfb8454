package restapis

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// certificates are the client certificates that the data plane shows to HTTP back ends, in a region.
var certificates = store.Kind[clientCert]{Name: "restapis.certificate"}

type clientCert struct {
	Region string
	v1.ClientCertificate
	Sealed []byte // the private key, PKCS #8
}

// certificateLife is how long a client certificate is valid.
const certificateLife = 365 * 24 * time.Hour

const noCertificate = "client certificate"

// GenerateClientCertificate makes a certificate that signs itself, as AWS's do.
func (s *Service) GenerateClientCertificate(ctx context.Context, in *v1.GenerateClientCertificateRequest) (*v1.ClientCertificate, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, err
	}
	now := s.now().UTC()
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "ApiGateway", Organization: []string{"Gatehouse"}},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	c := &clientCert{Region: region(ctx), ClientCertificate: v1.ClientCertificate{Description: in.Description, PemEncodedCertificate: &text,
		CreatedDate: &now, ExpirationDate: shape.Ptr(template.NotAfter), Tags: in.Tags}}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		c.ClientCertificateId = shape.Ptr(newID(ctx, shortID))
		c.Sealed = s.box.Seal(private, "restapis.certificate "+*c.ClientCertificateId)
		return certificates.Insert(tx, store.Key{ID: *c.ClientCertificateId, Parent: c.Region}, c)
	})
	if err != nil {
		return nil, err
	}
	return &c.ClientCertificate, nil
}

// certificate returns a client certificate of a region.
func (s *Service) certificate(tx *store.Tx, region, id string) (*clientCert, error) {
	c, err := certificates.Get(tx, id)
	if err == nil && c.Region != region {
		err = store.ErrNotFound
	}
	return c, missing(err, noCertificate)
}

// clientCertificate puts the client certificate of a stage into its snapshot.
func (s *Service) clientCertificate(tx *store.Tx, snap *Snapshot, st *v1.Stage) error {
	id := shape.Val(st.ClientCertificateId)
	if id == "" {
		return nil
	}
	c, err := certificates.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	der, err := s.box.Open(c.Sealed, "restapis.certificate "+id)
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	block, _ := pem.Decode([]byte(*c.PemEncodedCertificate))
	if block == nil {
		return errors.New("restapis: client certificate " + id + " is not PEM")
	}
	snap.Certificate = &tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
	return nil
}

func (s *Service) GetClientCertificate(ctx context.Context, in *v1.GetClientCertificateRequest) (*v1.ClientCertificate, error) {
	var c *clientCert
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		c, err = s.certificate(tx, region(ctx), in.ClientCertificateId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &c.ClientCertificate, nil
}

func (s *Service) GetClientCertificates(ctx context.Context, in *v1.GetClientCertificatesRequest) (*v1.ClientCertificates, error) {
	out := &v1.ClientCertificates{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		list, next, err := pageOf(tx, certificates, region(ctx), in.Position, in.Limit)
		out.Items, out.Position = make([]v1.ClientCertificate, len(list)), next
		for i := range list {
			out.Items[i] = list[i].ClientCertificate
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// certificateFields is what can be patched of a client certificate.
var certificateFields = []field[clientCert]{
	{"/description", "replace", setText(func(c *clientCert) **string { return &c.Description })},
}

func (s *Service) UpdateClientCertificate(ctx context.Context, in *v1.UpdateClientCertificateRequest) (*v1.ClientCertificate, error) {
	var c *clientCert
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if c, err = s.certificate(tx, region(ctx), in.ClientCertificateId); err != nil {
			return err
		}
		if err := apply(certificateFields, c, in.PatchOperations); err != nil {
			return err
		}
		return certificates.Put(tx, store.Key{ID: in.ClientCertificateId, Parent: c.Region}, c)
	})
	if err != nil {
		return nil, err
	}
	return &c.ClientCertificate, nil
}

// DeleteClientCertificate deletes a certificate that no stage uses.
func (s *Service) DeleteClientCertificate(ctx context.Context, in *v1.DeleteClientCertificateRequest) (*v1.DeleteClientCertificateResponse, error) {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		c, err := s.certificate(tx, region(ctx), in.ClientCertificateId)
		if err != nil {
			return err
		}
		list, err := every(tx, apis, c.Region)
		if err != nil {
			return err
		}
		for _, a := range list {
			sts, err := every(tx, stages, *a.Id)
			if err != nil {
				return err
			}
			for _, st := range sts {
				if shape.Val(st.ClientCertificateId) == in.ClientCertificateId {
					return bad("Client certificate %s is in use by stage %s of API %s", in.ClientCertificateId, *st.StageName, *a.Id)
				}
			}
		}
		return certificates.Delete(tx, in.ClientCertificateId)
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteClientCertificateResponse{}, nil
}
