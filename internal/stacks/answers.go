package stacks

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// maxAnswer is the greatest length of an answer, in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-responses.html
const maxAnswer = 4096

// answerTime is how long an address for answers is good, as on AWS; a wait may be shorter.
const answerTime = 2 * time.Hour

// Hosts of the addresses for answers: the region stands in them without hyphens.
const (
	customHost = "cloudformation-custom-resource-response-"
	waitHost   = "cloudformation-waitcondition-"
)

var answerHosts = regexp.MustCompile(`^(?:` + customHost + `|` + waitHost + `)[a-z0-9]+\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$`)

// TakesAnswers tells whether host is one that custom resources and wait conditions are answered at.
func TakesAnswers(host string) bool {
	return strings.HasPrefix(host, "cloudformation-") && answerHosts.MatchString(host)
}

// question is something that somebody outside the server is to answer: with a PUT to its address, which
// holds a secret and is good for one stack, one resource and one request.
type question struct {
	Secret  string
	Created int64 // epoch milliseconds
	Expires int64
	Asked   bool     // what is to answer has been told
	Many    bool     // takes answers under more than one id: a wait condition
	Answers [][]byte // longer ones are cut off behind maxAnswer
}

// questionDoc is how a question is stored.
type questionDoc struct{ Sealed []byte }

var questions = store.Kind[questionDoc]{Name: "stacks.question"}

// maxAnswers is how many answers are taken for one wait condition.
const maxAnswers = 1000

func (s *Service) question(tx *store.Tx, id string) (*question, error) {
	doc, err := questions.Get(tx, id)
	if err != nil {
		return nil, err
	}
	q := new(question)
	return q, s.decode(doc.Sealed, "stacks.question/"+id, q)
}

// putQuestion stores a question; parent is what it is deleted with.
func (s *Service) putQuestion(tx *store.Tx, id, parent string, q *question) error {
	data, err := s.encode(q, "stacks.question/"+id)
	if err != nil {
		return err
	}
	return questions.Put(tx, store.Key{ID: id, Parent: parent}, &questionDoc{data})
}

// pose returns the question with an id, a new one if there is none.
func (s *Service) pose(ctx context.Context, id, parent string, good time.Duration) (q *question, err error) {
	err = s.o.DB.Update(ctx, func(tx *store.Tx) error {
		if q, err = s.question(tx, id); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		secret := make([]byte, 32)
		rand.Read(secret)
		now := s.o.Now()
		q = &question{Secret: hex.EncodeToString(secret), Created: now.UnixMilli(), Expires: now.Add(good).UnixMilli()}
		return s.putQuestion(tx, id, parent, q)
	})
	return q, err
}

// questionID names a question. It is the path of its address too.
func questionID(stackID, logical, request string) string {
	return stackID + "|" + logical + "|" + request
}

// address returns where a question is answered, in the form of AWS's.
func (q *question) address(host, region, id, accessKey string) string {
	made := time.UnixMilli(q.Created).UTC()
	return "https://" + host + strings.ReplaceAll(region, "-", "") + ".s3.amazonaws.com/" + strings.ReplaceAll(url.QueryEscape(id), "%2F", "/") +
		"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=" + made.Format("20060102T150405Z") + "&X-Amz-SignedHeaders=host&X-Amz-Expires=" +
		strconv.FormatInt((q.Expires-q.Created)/1000, 10) + "&X-Amz-Credential=" + url.QueryEscape(accessKey+"/"+made.Format("20060102")+"/"+region+"/s3/aws4_request") +
		"&X-Amz-Signature=" + q.Secret
}

// await waits until f finds what it waits for in a question's answers. It returns errClosing when the
// server closes, errHalted when the operation will have no use for it, and errSilent when the time is up.
func (s *Service) await(ctx context.Context, id string, until time.Time, f func(q *question) bool) error {
	woken := s.listen(id)
	defer s.unlisten(id, woken)
	late := time.NewTimer(until.Sub(s.o.Now()))
	defer late.Stop()
	halted := haltedBy(ctx)
	var grace <-chan time.Time
	for {
		q, err := view(ctx, s.o.DB, func(tx *store.Tx) (*question, error) { return s.question(tx, id) })
		if err != nil {
			return err
		}
		if f(q) {
			return nil
		}
		select {
		case <-woken:
		case <-late.C:
			return errSilent
		case <-halted:
			halted, grace = nil, time.After(handlerGrace)
		case <-grace:
			return errHalted
		case <-s.closed:
			return errClosing
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var (
	errSilent = errors.New("stacks: no answer came in time")
	errHalted = errors.New("stacks: the operation has failed meanwhile")
)

// listen returns a channel that gets a value when the question with the id changes.
func (s *Service) listen(id string) chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[id] == nil {
		s.listeners[id] = map[chan struct{}]bool{}
	}
	s.listeners[id][c] = true
	return c
}

func (s *Service) unlisten(id string, c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.listeners[id], c); len(s.listeners[id]) == 0 {
		delete(s.listeners, id)
	}
}

// changed wakes those who listen to an id, or all of them if it is "".
func (s *Service) changed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, list := range s.listeners {
		if id != "" && at != id {
			continue
		}
		for c := range list {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

// ServeAnswer takes the answer to a question: a PUT like that of an object to a presigned URL of S3, which
// needs no signature of its own.
func (s *Service) ServeAnswer(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, text string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+text+"</Message></Error>")
	}
	if r.Method != http.MethodPut {
		refuse(http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		refuse(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
		return
	}
	sum := md5.Sum(body) // as S3 does
	body = body[:min(len(body), maxAnswer+1)]
	id := strings.TrimPrefix(r.URL.Path, "/")
	secret := r.URL.Query().Get("X-Amz-Signature")
	var no string
	err = s.o.DB.Update(r.Context(), func(tx *store.Tx) error {
		no = ""
		q, err := s.question(tx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && subtle.ConstantTimeCompare([]byte(q.Secret), []byte(secret)) != 1 {
			no = "Access Denied"
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case q.Expires < s.o.Now().UnixMilli():
			no = "Request has expired"
			return nil
		case len(q.Answers) > 0 && !q.Many || len(q.Answers) >= maxAnswers:
			return nil // the first counts
		}
		q.Answers = append(q.Answers, body)
		stack, _, _ := strings.Cut(id, "|")
		parent := stack
		if q.Many {
			parent = handles(stack)
		}
		return s.putQuestion(tx, id, parent, q)
	})
	switch {
	case err != nil:
		s.o.Logger.Error("stacks: an answer could not be stored", "error", err)
		refuse(http.StatusServiceUnavailable, "ServiceUnavailable", "Please reduce your request rate.")
	case no != "":
		refuse(http.StatusForbidden, "AccessDenied", no)
	default:
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.WriteHeader(http.StatusOK)
	}
}

// haltKey is the context's key of the channel that is closed when a phase has no use for a step any more.
type haltKey struct{}

// haltedBy returns that channel; nil where nothing halts.
func haltedBy(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(haltKey{}).(chan struct{})
	return c
}
