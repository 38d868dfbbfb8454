package payload

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

const (
	maxLine  = 4096 // of a chunk's header or a trailer line
	maxTrail = 16   // trailer lines
	emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// chunks reads the aws-chunked coding:
//
//	SIZE[;chunk-signature=HEX]\r\n DATA \r\n … 0[;chunk-signature=HEX]\r\n [NAME:VALUE\r\n …] \r\n
//
// Each chunk's signature covers the one before it, beginning with the request's own.
type chunks struct {
	r          *bufio.Reader
	left       int64 // bytes of the present chunk that are still to come
	inside     bool  // a chunk was begun
	signing    *Signing
	signedTail bool
	signature  string // of the present chunk
	hash       hash.Hash
	trailer    http.Header
	done       bool
}

func malformedChunk() error {
	return shape.Errorf("InvalidChunkSizeError", 400, "The request contained a chunk that was not well-formed.")
}

func badSignature() error {
	return shape.Errorf("SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	for c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if c.hash != nil {
		c.hash.Write(p[:n])
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next ends the present chunk and begins the next one. After the last it reads the trailer and
// returns io.EOF.
func (c *chunks) next() error {
	if c.inside {
		if err := c.endChunk(); err != nil {
			return err
		}
		if line, err := c.line(); err != nil || len(line) > 0 {
			return or(err, malformedChunk())
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, err := strconv.ParseInt(size, 16, 64)
	if err != nil || n < 0 || size == "" || size[0] == '+' || size[0] == '-' {
		return malformedChunk()
	}
	c.left, c.inside = n, true
	if c.signing != nil {
		sig, ok := strings.CutPrefix(ext, "chunk-signature=")
		if !ok || len(sig) != 64 {
			return malformedChunk()
		}
		c.signature = sig
		c.hash.Reset()
	}
	if n > 0 {
		return nil
	}
	if err := c.endChunk(); err != nil {
		return err
	}
	if err := c.readTrailer(); err != nil {
		return err
	}
	c.done = true
	return io.EOF
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// endChunk checks the signature of the chunk that was read.
func (c *chunks) endChunk() error {
	if c.signing == nil {
		return nil
	}
	s := c.signing
	want := s.Sign("AWS4-HMAC-SHA256-PAYLOAD\n" + s.Time + "\n" + s.Scope + "\n" + s.Seed + "\n" +
		emptySum + "\n" + hex.EncodeToString(c.hash.Sum(nil)))
	if subtle.ConstantTimeCompare([]byte(want), []byte(c.signature)) != 1 {
		return badSignature()
	}
	s.Seed = want
	return nil
}

// readTrailer reads the lines after the last chunk, to the empty line or the end of the body.
func (c *chunks) readTrailer() error {
	var canonical bytes.Buffer
	signature := ""
	for range maxTrail {
		line, err := c.line()
		if err == io.ErrUnexpectedEOF && line == "" {
			line, err = "", nil // some clients leave the last line out
		}
		if err != nil {
			return err
		}
		if line == "" {
			if c.signedTail && !c.tailSigned(canonical.Bytes(), signature) {
				return badSignature()
			}
			return nil
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || name == "" {
			return malformedTrailer()
		}
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		c.trailer.Add(name, value)
		canonical.WriteString(name + ":" + value + "\n")
	}
	return malformedTrailer()
}

func (c *chunks) tailSigned(canonical []byte, signature string) bool {
	s := c.signing
	want := s.Sign("AWS4-HMAC-SHA256-TRAILER\n" + s.Time + "\n" + s.Scope + "\n" + s.Seed + "\n" + Hex(canonical))
	return subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1
}

// line reads one line without its end.
func (c *chunks) line() (string, error) {
	b, err := c.r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", malformedChunk()
	case err == io.EOF:
		return strings.TrimSuffix(string(b), "\r"), io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return string(bytes.TrimSuffix(b[:len(b)-1], []byte("\r"))), nil
}
