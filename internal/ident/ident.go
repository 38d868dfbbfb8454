// Package ident makes identifiers in AWS's forms.
//
// Tools and clients look at the shape of an identifier: a user pool's region is cut from its id, a
// CDK app validates an access key's length, the CLI checks patterns before it sends. So each kind of
// identifier has AWS's alphabet and length. All randomness is crypto/rand's and unbiased, for some of
// these strings (client secrets, secret keys, codes) are secrets.
package ident

import (
	"crypto/rand"
	"encoding/hex"
)

// The alphabets that AWS's identifiers are drawn from.
const (
	Digits   = "0123456789"
	Lower    = "abcdefghijklmnopqrstuvwxyz"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	LowerNum = Digits + Lower         // client ids, API ids
	UpperNum = Digits + upper         // suffixes of physical resource names
	AlphaNum = Digits + upper + Lower // user pool ids
	base32   = upper + "234567"       // access key ids
	base64   = upper + Lower + Digits + "+/"
)

// Random returns n characters drawn independently and uniformly from alphabet, which holds 2 to 256
// distinct single-byte characters. It panics on any other alphabet.
func Random(alphabet string, n int) string {
	size := len(alphabet)
	if size < 2 || size > 256 {
		panic("ident: alphabet of unusable size")
	}
	// Bytes from limit up would favour the first characters, so they are thrown away.
	limit := 256 - 256%size
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/4+8)
	for len(out) < n {
		rand.Read(buf) // never fails: it crashes the program rather than return an error
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%size])
			}
		}
	}
	return string(out)
}

// UserPoolID returns a user pool's id: its region, an underscore and nine letters or digits.
func UserPoolID(region string) string { return region + "_" + Random(AlphaNum, 9) }

// ClientID returns the id of an app client, 26 characters.
func ClientID() string { return Random(LowerNum, 26) }

// ClientSecret returns the secret of an app client, 51 characters (263 bits).
func ClientSecret() string { return Random(LowerNum, 51) }

// APIID returns the id of an API, 10 characters. It begins with a letter, for it is a DNS label and
// some URL parsers take a label of digits for an address.
func APIID() string { return Random(Lower, 1) + Random(LowerNum, 9) }

// ShortID returns the id of a part of an API, such as a route or an integration: 7 characters.
func ShortID() string { return Random(LowerNum, 7) }

// AuthorizerID returns the id of an authorizer of an API: 6 characters.
func AuthorizerID() string { return Random(LowerNum, 6) }

// UUID returns a random (version 4) UUID in lower case; RFC 9562, section 5.4.
func UUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:36], u[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// RequestID returns the id of a request, as in x-amzn-RequestId.
func RequestID() string { return UUID() }

// Code returns a numeric code of the given number of digits, for mail and SMS.
func Code(digits int) string { return Random(Digits, digits) }

// AccessKeyID returns an access key id of 20 characters that begins with prefix: AKIA for a user's
// long-lived key, ASIA for temporary credentials.
func AccessKeyID(prefix string) string {
	return prefix + Random(base32, max(0, 20-len(prefix)))
}

// UniqueID returns a unique id of an IAM entity, 21 characters with a prefix such as AIDA (user) or
// AROA (role).
func UniqueID(prefix string) string {
	return prefix + Random(base32, max(0, 21-len(prefix)))
}

// SecretKey returns the secret part of an access key, 40 characters (240 bits).
func SecretKey() string { return Random(base64, 40) }
