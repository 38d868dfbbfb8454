package srp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math/big"
)

// A Client is the side of the user, for one sign-in.
type Client struct {
	poolName string
	secret   []byte // a
	public   *big.Int
}

// NewClient begins a sign-in to the pool of the given name.
func NewClient(poolName string) *Client {
	secret := make([]byte, 32)
	rand.Read(secret)
	return &Client{poolName: poolName, secret: secret, public: fixedBase().exp(secret)}
}

// SRPA returns the client's public value, in hexadecimal.
func (c *Client) SRPA() string { return c.public.Text(16) }

// Prove answers the server's challenge: its parameters USER_ID_FOR_SRP, SALT and SRP_B, and the
// decoded SECRET_BLOCK. The timestamp is sent along with the proof; see [TimestampLayout].
func (c *Client) Prove(userID, password, salt, srpB string, secretBlock []byte, timestamp string) ([]byte, error) {
	key, err := c.key(userID, password, salt, srpB)
	if err != nil {
		return nil, err
	}
	return prove(key, c.poolName, userID, secretBlock, timestamp), nil
}

func (c *Client) key(userID, password, salt, srpB string) ([]byte, error) {
	b, err := parsePublic(srpB)
	if err != nil {
		return nil, err
	}
	if len(salt)%2 == 1 {
		salt = "0" + salt
	}
	rawSalt, err := hex.DecodeString(salt)
	if err != nil {
		return nil, errors.New("srp: salt is not hexadecimal")
	}
	u := scramble(c.public, b)
	if u.Sign() == 0 {
		return nil, ErrPublicValue
	}
	// S = (B - k·g^x)^(a + u·x)
	xBytes := secretExponent(c.poolName, userID, password, rawSalt)
	base := fixedBase().exp(xBytes)
	base.Sub(b, base.Mul(base, multiplier))
	base.Mod(base, modulus)
	e := new(big.Int).SetBytes(xBytes)
	e.Add(e.Mul(e, u), new(big.Int).SetBytes(c.secret))
	return deriveKey(blindExp(base, e), u), nil
}
