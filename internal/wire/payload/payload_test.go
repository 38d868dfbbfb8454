package payload

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// docSigning is the signing of the examples in S3's documentation.
func docSigning(seed string) Signing {
	key := []byte("AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	mac := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	for _, part := range []string{"20130524", "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	return Signing{Time: "20130524T000000Z", Scope: "20130524/us-east-1/s3/aws4_request", Seed: seed,
		Sign: func(s string) string { return hex.EncodeToString(mac(key, s)) }}
}

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html: 65 KiB of "a".
const (
	docSeed   = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	docSeed2  = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	docChunks = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648 0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497 b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
	docTail   = "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2 1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7 2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
)

func docBody(signatures, tail string) string {
	s := strings.Fields(signatures)
	return "10000;chunk-signature=" + s[0] + "\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=" + s[1] + "\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=" + s[2] + "\r\n" + tail + "\r\n"
}

func TestSignedChunks(t *testing.T) {
	tail := "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
	tests := []struct {
		name, mode, seed, body string
		code                   string // of the error, "" for none
	}{
		{"as documented", ChunkedSigned, docSeed, docBody(docChunks, ""), ""},
		{"with a trailer, as documented", ChunkedSignedTail, docSeed2, docBody(docTail, tail), ""},
		{"data changed", ChunkedSigned, docSeed, strings.Replace(docBody(docChunks, ""), "aaaa", "abaa", 1), "SignatureDoesNotMatch"},
		{"last chunk changed", ChunkedSigned, docSeed, strings.Replace(docBody(docChunks, ""), "b6c6", "b6c7", 1), "SignatureDoesNotMatch"},
		{"last chunk missing", ChunkedSigned, docSeed, docBody(docChunks, "")[:65536+90+1024+80], "IncompleteBody"},
		{"chunks swapped", ChunkedSigned, docSeed2, docBody(docChunks, ""), "SignatureDoesNotMatch"},
		{"no signature", ChunkedSigned, docSeed, strings.Replace(docBody(docChunks, ""), ";chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "", 1), "InvalidChunkSizeError"},
		{"trailer changed", ChunkedSignedTail, docSeed2, docBody(docTail, strings.Replace(tail, "sOO8", "sOO9", 1)), "SignatureDoesNotMatch"},
		{"trailer unsigned", ChunkedSignedTail, docSeed2, docBody(docTail, "x-amz-checksum-crc32c:sOO8/Q==\r\n"), "SignatureDoesNotMatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"X-Amz-Content-Sha256": {tt.mode}, "X-Amz-Decoded-Content-Length": {"66560"}}
			if tt.mode == ChunkedSignedTail {
				h.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
			}
			for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
				r, err := New(io.NopCloser(wrap(strings.NewReader(tt.body))), Options{Header: h, Length: int64(len(tt.body)), Signing: docSigning(tt.seed)})
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if code(err) != tt.code {
					t.Fatalf("error %v, want %q", err, tt.code)
				}
				if err == nil && string(got) != strings.Repeat("a", 66560) {
					t.Fatalf("read %d bytes", len(got))
				}
				if _, again := r.Read(make([]byte, 1)); err != nil && again != err {
					t.Errorf("the error does not stay: %v", again)
				}
			}
		})
	}
}

func code(err error) string {
	var e *shape.Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestChecks(t *testing.T) {
	const (
		sum    = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
		sum64  = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
		md5sum = "XUFAKrxLKna5cZ2REBfFkg=="
	)
	chunked := func(trailer, body string) []string {
		return []string{"X-Amz-Content-Sha256", ChunkedUnsigned, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", trailer, body}
	}
	tests := []struct {
		name   string
		header []string // pairs, and perhaps a body at the end; else "hello"
		code   string
	}{
		{"nothing declared", nil, ""},
		{"unsigned", []string{"X-Amz-Content-Sha256", Unsigned}, ""},
		{"hash", []string{"X-Amz-Content-Sha256", sum}, ""},
		{"other hash", []string{"X-Amz-Content-Sha256", strings.Replace(sum, "2c", "2d", 1)}, "XAmzContentSHA256Mismatch"},
		{"no hash", []string{"X-Amz-Content-Sha256", "hello"}, "InvalidArgument"},
		{"MD5", []string{"Content-Md5", md5sum}, ""},
		{"other MD5", []string{"Content-Md5", "XUFAKrxLKna5cZ2REBfFkw=="}, "BadDigest"},
		{"no MD5", []string{"Content-Md5", "xxx"}, "InvalidDigest"},
		{"SHA-256", []string{"X-Amz-Checksum-Sha256", sum64}, ""},
		{"CRC32", []string{"X-Amz-Checksum-Crc32", "NhCmhg=="}, ""},
		{"CRC32C", []string{"X-Amz-Checksum-Crc32c", "mnG7TA=="}, ""},
		{"SHA-1", []string{"X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="}, ""},
		{"other CRC32", []string{"X-Amz-Checksum-Crc32", "NhCmhw=="}, "BadDigest"},
		{"checksum of a wrong length", []string{"X-Amz-Checksum-Crc32", sum64}, "InvalidRequest"},
		{"unknown checksum", []string{"X-Amz-Checksum-Rot13", "uryyb"}, "InvalidRequest"},
		{"checksum mode of a GET", []string{"X-Amz-Checksum-Mode", "ENABLED"}, ""},
		{"trailer", chunked("x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), ""},
		{"trailer without the last line", chunked("x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n"), ""},
		{"other trailer", chunked("x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhw==\r\n\r\n"), "BadDigest"},
		{"trailer missing", chunked("x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n\r\n"), "MalformedTrailerError"},
		{"trailer without a colon", chunked("x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n"), "MalformedTrailerError"},
		{"unknown trailer", chunked("x-amz-meta-a", "5\r\nhello\r\n0\r\n\r\n"), "InvalidRequest"},
		{"fewer than declared", chunked("", "4\r\nhell\r\n0\r\n\r\n"), "IncompleteBody"},
		{"more than declared", chunked("", "6\r\nhello!\r\n0\r\n\r\n"), "IncompleteBody"},
		{"cut", chunked("", "5\r\nhel"), "IncompleteBody"},
		{"cut before the last chunk", chunked("", "5\r\nhello\r\n"), "IncompleteBody"},
		{"not a size", chunked("", "five\r\nhello\r\n0\r\n\r\n"), "InvalidChunkSizeError"},
		{"negative size", chunked("", "-5\r\nhello\r\n0\r\n\r\n"), "InvalidChunkSizeError"},
		{"endless size", chunked("", strings.Repeat("0", 5000)+"\r\n"), "InvalidChunkSizeError"},
		{"no line after a chunk", chunked("", "5\r\nhello0\r\n\r\n"), "InvalidChunkSizeError"},
		{"no decoded length", []string{"X-Amz-Content-Sha256", ChunkedUnsigned}, "MissingContentLength"},
		{"signed without a key", []string{"X-Amz-Content-Sha256", ChunkedSigned, "X-Amz-Decoded-Content-Length", "5"}, "NotImplemented"},
		{"elliptic", []string{"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "NotImplemented"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, h := "hello", http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				if i+1 == len(tt.header) {
					body = tt.header[i]
					break
				}
				h.Set(tt.header[i], tt.header[i+1])
			}
			r, err := New(io.NopCloser(strings.NewReader(body)), Options{Header: h, Length: int64(len(body))})
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
			}
			if code(err) != tt.code {
				t.Fatalf("error %v, want %q", err, tt.code)
			}
			if err == nil && (string(got) != "hello" || r.Size() != 5) {
				t.Errorf("read %q, size %d", got, r.Size())
			}
		})
	}
}

func TestCRC64NVME(t *testing.T) {
	// The check value of CRC-64/NVME, https://reveng.sourceforge.io/crc-catalogue/all.htm.
	if got := crc64.Checksum([]byte("123456789"), nvme); got != 0xae8b14860a799888 {
		t.Errorf("%x", got)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")
	f.Add("0\r\n\r\n")
	f.Add(docBody(docChunks, "")[:300])
	f.Fuzz(func(t *testing.T, body string) {
		h := http.Header{"X-Amz-Content-Sha256": {ChunkedUnsigned}, "X-Amz-Decoded-Content-Length": {"5"}}
		r, err := New(io.NopCloser(strings.NewReader(body)), Options{Header: h, Length: int64(len(body))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if len(got) > len(body) || err == nil && len(got) != 5 {
			t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
		}
		one, err1 := io.ReadAll(mustNew(t, iotest.OneByteReader(strings.NewReader(body)), h))
		if !bytes.Equal(one, got) && err == nil || (err == nil) != (err1 == nil) {
			t.Errorf("byte by byte: %q, %v; at once: %q, %v", one, err1, got, err)
		}
	})
}

func mustNew(t *testing.T, body io.Reader, h http.Header) *Reader {
	r, err := New(io.NopCloser(body), Options{Header: h, Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
