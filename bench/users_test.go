package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/srp"
)

// signInSRP proves knowledge of the password without sending it.
func (s *server) signInSRP(pool, client string, i int) error {
	_, name, _ := strings.Cut(pool, "_")
	c := srp.NewClient(name)
	out, err := s.try("cognito-idp", cognito+"InitiateAuth", doc{"ClientId": client, "AuthFlow": "USER_SRP_AUTH",
		"AuthParameters": doc{"USERNAME": user(i), "SRP_A": c.SRPA()}})
	if err != nil {
		return err
	}
	p := out["ChallengeParameters"].(doc)
	id, block := p["USER_ID_FOR_SRP"].(string), p["SECRET_BLOCK"].(string)
	raw, err := base64.StdEncoding.DecodeString(block)
	if err != nil {
		return err
	}
	at := time.Now().UTC().Format("Mon Jan 2 15:04:05 UTC 2006")
	proof, err := c.Prove(id, password, p["SALT"].(string), p["SRP_B"].(string), raw, at)
	if err != nil {
		return err
	}
	_, err = s.try("cognito-idp", cognito+"RespondToAuthChallenge", doc{"ClientId": client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": doc{
		"USERNAME": id, "TIMESTAMP": at, "PASSWORD_CLAIM_SECRET_BLOCK": block, "PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(proof)}})
	return err
}

// floors measures what no server can save: a sign-in makes two RSA-2048 signatures; with SRP it also
// raises two numbers of 3072 bits to powers of 256.
func floors(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("token"))
	sign := func() error {
		for range 2 {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
				return err
			}
		}
		return nil
	}
	bits := func(n int) *big.Int {
		buf := make([]byte, n/8)
		rand.Read(buf)
		buf[0] |= 0x80
		buf[len(buf)-1] |= 1
		return new(big.Int).SetBytes(buf)
	}
	base, modulus, u, secret := bits(3064), bits(3072), bits(256), bits(256)
	b.Run("floor/password", func(b *testing.B) { load(b, nil, 16, sign) })
	b.Run("floor/srp", func(b *testing.B) {
		load(b, nil, 16, func() error {
			s := new(big.Int).Exp(base, u, modulus)
			s.Exp(s, secret, modulus)
			return sign()
		})
	})
}

// BenchmarkSignIn signs in by password and by SRP, with 1,000 and with 100,000 users in the pool, and
// searches among them. Then it starts the released binary on what is on disk.
func BenchmarkSignIn(b *testing.B) {
	floors(b)
	for _, users := range []int{1000, 100000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			dir := b.TempDir()
			s := start(b, dir)
			pool, client := s.pool(users)
			s.settle()
			var i atomic.Int64
			next := func() int { return int(i.Add(1))%100 + 1 }
			b.Run("password", func(b *testing.B) {
				load(b, s.process, 16, func() error { _, err := s.signIn(client, next()); return err })
			})
			b.Run("srp", func(b *testing.B) {
				load(b, s.process, 16, func() error { return s.signInSRP(pool, client, next()) })
			})
			list := func(want int, filter string) func() error {
				return func() error {
					out, err := s.try("cognito-idp", cognito+"ListUsers", doc{"UserPoolId": pool, "Filter": filter})
					if err == nil && len(out["Users"].([]any)) != want {
						err = fmt.Errorf("%s finds %d users instead of %d", filter, len(out["Users"].([]any)), want)
					}
					return err
				}
			}
			b.Run("list-equal", func(b *testing.B) { load(b, s.process, 1, list(1, `email = "user0000500@example.com"`)) })
			b.Run("list-prefix", func(b *testing.B) { load(b, s.process, 1, list(10, `email ^= "user000050"`)) })
			if users < 100000 || *here {
				return
			}
			s.end()
			var size int64
			files, _ := filepath.Glob(filepath.Join(dir, "gatehouse.db*"))
			for _, f := range files {
				if st, err := os.Stat(f); err == nil {
					size += st.Size()
				}
			}
			b.Run("ready", func(b *testing.B) {
				ready(b, release(b), dir)
				b.ReportMetric(float64(size)/float64(users), "disk-B/user")
			})
		})
	}
}

// BenchmarkSignUp registers users, each of whom is on disk before the answer.
func BenchmarkSignUp(b *testing.B) {
	s := start(b, b.TempDir())
	_, client := s.pool(0)
	s.settle()
	var i atomic.Int64
	signUp := func() error {
		n := i.Add(1)
		_, err := s.try("cognito-idp", cognito+"SignUp", doc{"ClientId": client, "Username": fmt.Sprintf("new%d", n), "Password": password,
			"UserAttributes": []doc{{"Name": "email", "Value": fmt.Sprintf("new%d@example.com", n)}}})
		return err
	}
	b.Run("callers=1", func(b *testing.B) { load(b, s.process, 1, signUp) })
	b.Run("callers=16", func(b *testing.B) { load(b, s.process, 16, signUp) })
}
