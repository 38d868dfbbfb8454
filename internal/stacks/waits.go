package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// handleTime is how long the address of a wait condition handle is good.
const handleTime = 24 * time.Hour

// handles is the parent of the questions of a stack's wait condition handles, which outlive operations.
func handles(stackID string) string { return stackID + "#handles" }

// waitHandle is AWS::CloudFormation::WaitConditionHandle: an address to which whoever is waited for sends its
// signals.
type waitHandle struct{ s *Service }

func (h waitHandle) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	id := questionID(r.StackID, r.LogicalID, r.Token)
	q, err := h.s.pose(ctx, id, handles(r.StackID), handleTime)
	if err == nil && !q.Many {
		q.Many = true
		err = h.s.o.DB.Update(ctx, func(tx *store.Tx) error { return h.s.putQuestion(tx, id, handles(r.StackID), q) })
	}
	if err != nil {
		return resource.Result{}, err
	}
	at := q.address(waitHost, wire.CallFrom(ctx).Region, id, "ASIAGATEHOUSERESPONSE")
	return resource.Result{PhysicalID: at, Attrs: map[string]any{"Id": at}}, nil
}

func (h waitHandle) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return resource.Result{PhysicalID: r.PhysicalID, Attrs: map[string]any{"Id": r.PhysicalID}}, nil
}

func (h waitHandle) Delete(ctx context.Context, r *resource.Request) error {
	return h.s.o.DB.Update(ctx, func(tx *store.Tx) error {
		err := questions.Delete(tx, asked(r.PhysicalID))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// asked returns the id of the question with an address.
func asked(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

// waitCondition is AWS::CloudFormation::WaitCondition: it is there when enough signals have come.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html
type waitCondition struct{ s *Service }

// signal is what a handle is sent.
type signal struct{ Status, UniqueId, Data, Reason string }

func (h waitCondition) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	handle, _ := r.Props["Handle"].(string)
	if handle == "" || r.Props["Timeout"] == nil {
		return resource.Result{}, &resource.Error{Message: "Handle and Timeout must be specified for a WaitCondition"}
	}
	seconds, err := strconv.Atoi(fmt.Sprint(r.Props["Timeout"]))
	if err != nil || seconds < 0 || seconds > 43200 {
		return resource.Result{}, &resource.Error{Message: "WaitCondition timeout must be a number of seconds up to 43200"}
	}
	count := 1
	if v, ok := r.Props["Count"]; ok {
		if count, err = strconv.Atoi(fmt.Sprint(v)); err != nil || count < 0 {
			return resource.Result{}, &resource.Error{Message: "WaitCondition count must be a number that is not negative"}
		}
	}
	// When the waiting has begun is kept for a step that is run again.
	id := questionID(r.StackID, r.LogicalID, r.Token)
	began, err := h.s.pose(ctx, id, r.StackID, 0)
	if err != nil {
		return resource.Result{}, err
	}
	data := map[string]string{}
	var failed error
	err = h.s.await(ctx, asked(handle), time.UnixMilli(began.Created).Add(time.Duration(seconds)*time.Second), func(q *question) bool {
		clear(data)
		for _, text := range q.Answers {
			var sig signal
			if json.Unmarshal(text, &sig) != nil || len(text) > maxAnswer {
				continue
			}
			if sig.Status == "FAILURE" {
				failed = &resource.Error{Message: fmt.Sprintf("WaitCondition received failed message: '%s' for uniqueId: %s", sig.Reason, sig.UniqueId)}
				return true
			}
			if sig.Status == "SUCCESS" {
				if _, again := data[sig.UniqueId]; !again {
					data[sig.UniqueId] = sig.Data
				}
			}
		}
		return len(data) >= count
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return resource.Result{}, &resource.Error{Message: "The Handle of the WaitCondition is not that of a WaitConditionHandle", Detail: handle}
	case errors.Is(err, errSilent):
		return resource.Result{}, &resource.Error{Message: fmt.Sprintf("WaitCondition timed out. Received %d conditions when expecting %d", len(data), count)}
	case err != nil:
		return resource.Result{}, err
	case failed != nil:
		return resource.Result{}, failed
	}
	text, err := json.Marshal(data)
	name := r.StackID + "/" + r.LogicalID
	return resource.Result{PhysicalID: name, Attrs: map[string]any{"Data": string(text), "Id": name}}, err
}

func (h waitCondition) Update(_ context.Context, r *resource.Request) (resource.Result, error) {
	return resource.Result{}, &resource.Error{Message: "Update to resource type " + r.Type + " is not supported."}
}

func (h waitCondition) Delete(context.Context, *resource.Request) error { return nil }
