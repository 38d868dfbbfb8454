package stacks

import (
	"encoding/json"
	"strings"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
)

// Stack is a stack. Times are epoch milliseconds, 0 for never.
type Stack struct {
	ID, Name, Region, Account, Partition string

	Rev            int64 // changes with every write
	Status, Reason string
	Created        int64
	Updated        int64
	Deleted        int64
	LastEvent      int64 // of an operation that has ended

	Description  string
	Template     string // id of the template document, "" while in review
	Params       []Param
	Tags         []Tag
	Capabilities []string
	Outputs      []Output
	Imports      []string // names

	RoleARN              string
	OnFailure            string // of creation: ROLLBACK, DELETE or DO_NOTHING
	TimeoutMinutes       int64
	Protected            bool // from termination
	RetainExceptOnCreate bool
	DeletionMode         string
	ChangeSet            string // ARN of the one that was executed last
	Tokens               []Token
	ParentID, RootID     string     // of nested stacks
	ParentToken          string     // of the step of the parent that began the last update
	Prior                *Target    `json:",omitempty"` // of a nested stack, before that
	Policy               string     `json:",omitempty"` // the stack policy
	Unfinished           *Operation `json:",omitempty"` // the last, if a rollback can go on from it
}

// Param is a parameter's value.
type Param struct {
	Key      string
	Value    string // as given, or the default
	Resolved string // what the parameter store held
	NoEcho   bool
	Secret   []byte // sealed Value, if NoEcho and the server has a key
}

// Tag is a tag of a stack.
type Tag struct{ Key, Value string }

// Output is an evaluated output.
type Output struct{ Key, Value, Description, Export string }

// Token notes which operation a client's request token was used for.
type Token struct{ Token, Operation string }

// maxTokens is how many request tokens a stack remembers.
const maxTokens = 16

// Template is the text of a template, exactly as it was given.
type Template struct{ Text []byte }

// Resource is a resource of a stack.
type Resource struct {
	Logical string
	State            // as it is, or as the running step makes it
	Old     *State   `json:",omitempty"` // before the running update, if that has touched it
	Doomed  []*State `json:",omitempty"` // further things to delete in the cleanup
	Step    *Step    `json:",omitempty"` // the last

	Removed        bool `json:",omitempty"` // the template has it no more
	Status, Reason string
	Time           int64 // of the status
}

// State is what a resource is made of.
type State struct {
	Type     string
	Physical string         `json:",omitempty"`
	RefValue string         `json:",omitempty"` // what Ref returns if it is not Physical
	Props    map[string]any `json:",omitempty"` // evaluated
	Attrs    map[string]any `json:",omitempty"` // for Fn::GetAtt
	Metadata string         `json:",omitempty"` // JSON
	Deps     []string       `json:",omitempty"` // logical ids that it needs

	OnDelete  string `json:",omitempty"` // DeletionPolicy
	OnReplace string `json:",omitempty"` // UpdateReplacePolicy

	Exists      bool   `json:",omitempty"` // it was made and not deleted
	Unsure      bool   `json:",omitempty"` // a creation has begun whose result is not known; with Physical, one that failed and left that
	Imported    bool   `json:",omitempty"` // it was there before the stack
	NoEcho      bool   `json:",omitempty"` // Attrs are not to be shown
	Token       string `json:",omitempty"` // of the creation
	DeleteToken string `json:",omitempty"`
}

// ref returns what Ref returns.
func (s *State) ref() string {
	if s.RefValue != "" {
		return s.RefValue
	}
	return s.Physical
}

// Step is one call of a handler.
type Step struct {
	Op           string // id of the operation
	Kind         stepKind
	Token        string
	Done, Failed bool
	OldProps     map[string]any `json:",omitempty"` // of an update
}

type stepKind string

const (
	stepCreate  stepKind = "create"
	stepReplace stepKind = "replace"
	stepUpdate  stepKind = "update"
	stepRevert  stepKind = "revert"
	stepNote    stepKind = "note" // nothing to call: metadata, policies, order
)

// touched tells whether an operation has begun a step of the resource.
func (r *Resource) touched(op string) bool { return r.Step != nil && r.Step.Op == op }

// replaced tells whether State is another thing than Old.
func (r *Resource) replaced() bool {
	return r.Old != nil && (r.Physical != r.Old.Physical || !r.Exists || r.Type != r.Old.Type)
}

// dirty tells whether the last step failed, so that State may not be what is there.
func (r *Resource) dirty() bool { return strings.HasSuffix(r.Status, "_FAILED") }

// Operation is what is being done to a stack.
type Operation struct {
	ID      string
	Kind    string // create, update, delete
	Phase   string // forward, rollback, cleanup
	Failure string // why it is rolled back
	Call    caller
	Token   string // the client's
	Target  *Target

	OnFailure            string // of create and update: ROLLBACK, DELETE, DO_NOTHING
	RetainExceptOnCreate bool
	Retain               []string // of delete: logical ids
	Force                bool
	Undo                 bool // the deletion undoes the creation
	TagsChanged          bool
	Policy               string            // instead of the stack's
	ImportExisting       bool              // creations take what they meet
	Bring                map[string]string // what is imported: physical ids by logical ids
	Deadline             int64             // epoch milliseconds, 0: none
	Attempts             int               // how often it was taken up
	ChangeSet            string
}

const (
	opCreate = "create"
	opUpdate = "update"
	opDelete = "delete"

	forward  = "forward"
	rollback = "rollback"
	cleanup  = "cleanup"
)

// caller is who asked for an operation.
type caller struct {
	RequestID, Account, Region, Partition, Principal, AccessKey string

	Caller json.RawMessage `json:",omitempty"` // what [Callers] keeps of it
}

// Target is what a stack is to become.
type Target struct {
	Template     string
	Description  string
	Params       []Param
	Tags         []Tag
	Capabilities []string
	Imports      []string
	RoleARN      string
}

// Event is one line of a stack's history.
type Event struct {
	Seq        int64 `json:"-"`
	ID         string
	Time       int64
	Logical    string
	Physical   string
	Type       string
	Status     string
	Reason     string
	Properties string // JSON, with **** for what must not be shown
	Token      string
}

const stackType = "AWS::CloudFormation::Stack"

// inProgress tells whether a status is one of work.
func inProgress(status string) bool {
	return strings.HasSuffix(status, "_IN_PROGRESS") && status != cfn.StackStatusReviewInProgress
}

// updatable tells whether a stack in this status can be updated.
func updatable(status string) bool {
	switch status {
	case cfn.StackStatusCreateComplete, cfn.StackStatusUpdateComplete, cfn.StackStatusUpdateRollbackComplete,
		cfn.StackStatusImportComplete, cfn.StackStatusImportRollbackComplete,
		cfn.StackStatusCreateFailed, cfn.StackStatusUpdateFailed:
		return true
	}
	return false
}

// cloneProps copies what handlers are given, so that they cannot change what is stored.
func cloneProps(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	return clone(m).(map[string]any)
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// normal brings a handler's attributes into the form that they will have when they were stored.
func normal(m map[string]any) (map[string]any, error) {
	if len(m) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, decodeJSON(data, &out)
}
