package dev

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/client"
)

const (
	cloudFormationVersion = "2010-05-15"
	// inlineTemplate is how many bytes of template CloudFormation takes in a request; more go through
	// a bucket.
	inlineTemplate = 51200
	// eventInterval is how often a running deployment is asked for news.
	eventInterval = 100 * time.Millisecond
)

// Deployer brings stacks to a server.
type Deployer struct {
	Client *client.Client
	// Progress is told what happens: each stack event as it comes. It may be nil.
	Progress func(Event)
}

// Event is one stack event.
type Event struct {
	ID       string `xml:"EventId"`
	Stack    string `xml:"StackName"`
	Logical  string `xml:"LogicalResourceId"`
	Physical string `xml:"PhysicalResourceId"`
	Type     string `xml:"ResourceType"`
	Status   string `xml:"ResourceStatus"`
	Reason   string `xml:"ResourceStatusReason"`
	Time     string `xml:"Timestamp"`
}

// StackInfo is a stack as the server describes it.
type StackInfo struct {
	ID          string `xml:"StackId"`
	Name        string `xml:"StackName"`
	Status      string `xml:"StackStatus"`
	Reason      string `xml:"StackStatusReason"`
	Description string `xml:"Description"`
	// Protected tells whether the stack cannot be deleted.
	Protected bool `xml:"EnableTerminationProtection"`
	Outputs   []struct {
		Key   string `xml:"OutputKey"`
		Value string `xml:"OutputValue"`
	} `xml:"Outputs>member"`
}

// Output is one output of a deployed stack.
type Output struct{ Key, Value string }

// ErrNoStack is returned for a stack that is not there.
var ErrNoStack = errors.New("no such stack")

// Describe returns what the server knows of a stack, by name or by ARN.
func (d *Deployer) Describe(ctx context.Context, name string) (*StackInfo, error) {
	var out struct {
		Stacks []StackInfo `xml:"Stacks>member"`
	}
	err := d.cfn(ctx, "DescribeStacks", url.Values{"StackName": {name}}, &out)
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == "ValidationError" && strings.Contains(ce.Message, "does not exist") {
		return nil, ErrNoStack
	}
	if err != nil {
		return nil, err
	}
	if len(out.Stacks) == 0 {
		return nil, ErrNoStack
	}
	return &out.Stacks[0], nil
}

func (d *Deployer) cfn(ctx context.Context, action string, params url.Values, out any) error {
	return d.Client.Query(ctx, "cloudformation", cloudFormationVersion, action, params, out)
}

// bucket is where the packages of functions and large templates lie.
func (d *Deployer) bucket() string {
	return "gatehouse-assets-" + d.Client.Account + "-" + d.Client.Region
}

// upload puts an object into the deployer's bucket unless it is there; a missing bucket is made.
func (d *Deployer) upload(ctx context.Context, key string, data []byte) error {
	if has, err := d.has(ctx, d.bucket(), key); err == nil && has {
		return nil
	}
	return d.put(ctx, d.bucket(), key, data)
}

// has tells whether a bucket has an object.
func (d *Deployer) has(ctx context.Context, bucket, key string) (bool, error) {
	resp, err := d.Client.Do(ctx, client.Request{Service: "s3", Method: "HEAD", Path: objectPath(bucket, key)})
	var ce *client.Error
	if errors.As(err, &ce) && ce.Status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	return true, nil
}

func objectPath(bucket, key string) string {
	return (&url.URL{Path: "/" + bucket + "/" + key}).EscapedPath()
}

// put writes an object; a missing bucket is made.
func (d *Deployer) put(ctx context.Context, bucket, key string, data []byte) error {
	put := func() error {
		resp, err := d.Client.Do(ctx, client.Request{Service: "s3", Method: "PUT", Path: objectPath(bucket, key), Body: data})
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	err := put()
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == "NoSuchBucket" {
		var body []byte
		if d.Client.Region != "us-east-1" {
			body, _ = xml.Marshal(struct {
				XMLName xml.Name `xml:"CreateBucketConfiguration"`
				Where   string   `xml:"LocationConstraint"`
			}{Where: d.Client.Region})
		}
		resp, cerr := d.Client.Do(ctx, client.Request{Service: "s3", Method: "PUT", Path: "/" + bucket, Body: body})
		if cerr == nil {
			resp.Body.Close()
		} else if !errors.As(cerr, &ce) || ce.Code != "BucketAlreadyOwnedByYou" && ce.Code != "BucketAlreadyExists" {
			return cerr
		}
		err = put()
	}
	return err
}

// Deploy creates or updates the stack and waits until it is done. fs are the built functions of all
// stacks. It tells whether anything changed.
func (d *Deployer) Deploy(ctx context.Context, s *Stack, fs []*Function, params map[string]string) (*StackInfo, bool, error) {
	d = d.of(s)
	var body []byte
	var err error
	if s.cloud != nil {
		body = s.cloud.Body
		err = d.publish(ctx, s.cloud)
	} else {
		body, err = d.stage(ctx, s, fs)
	}
	if err != nil {
		return nil, false, err
	}
	form := url.Values{"StackName": {s.Name}}
	for i, c := range []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"} {
		form.Set(fmt.Sprintf("Capabilities.member.%d", i+1), c)
	}
	if len(body) <= inlineTemplate {
		form.Set("TemplateBody", string(body))
	} else {
		sum := sha256.Sum256(body)
		key := s.Name + "/" + hex.EncodeToString(sum[:]) + ".template"
		if err := d.upload(ctx, key, body); err != nil {
			return nil, false, fmt.Errorf("uploading the template: %w", err)
		}
		form.Set("TemplateURL", strings.TrimSuffix(d.Client.Endpoint, "/")+"/"+d.bucket()+"/"+key)
	}
	all := maps.Clone(s.Params)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, parametersOf(s, params)) // what the user says goes before what the stage implies
	for i, k := range slices.Sorted(maps.Keys(all)) {
		form.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", i+1), k)
		form.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", i+1), all[k])
	}

	old, err := d.Describe(ctx, s.Name)
	if err == nil && (old.Status == "ROLLBACK_COMPLETE" || old.Status == "ROLLBACK_FAILED" || old.Status == "CREATE_FAILED" || old.Status == "DELETE_FAILED") {
		// What is left of a creation that failed can only be deleted.
		if err := d.Remove(ctx, s.Name); err != nil {
			return nil, false, err
		}
		err = ErrNoStack
	}
	action := "UpdateStack"
	if errors.Is(err, ErrNoStack) {
		action = "CreateStack"
	} else if err != nil {
		return nil, false, err
	}
	seen, err := d.seen(ctx, s.Name)
	if err != nil {
		return nil, false, err
	}
	if s.cloud != nil {
		s.cloud.form(form, action == "CreateStack")
	}
	var made struct {
		ID string `xml:"StackId"`
	}
	err = d.cfn(ctx, action, form, &made)
	var ce *client.Error
	if errors.As(err, &ce) && strings.Contains(ce.Message, "No updates are to be performed") {
		return old, false, d.protect(ctx, s, old)
	}
	if err != nil {
		return nil, false, err
	}
	info, err := d.wait(ctx, made.ID, seen)
	if err == nil {
		err = d.protect(ctx, s, info)
	}
	return info, true, err
}

// stage uploads the built functions of s and returns its template, which names them.
func (d *Deployer) stage(ctx context.Context, s *Stack, fs []*Function) ([]byte, error) {
	for _, f := range fs {
		if f.Stack == s {
			if err := d.upload(ctx, f.Key(), f.Package.Zip); err != nil {
				return nil, fmt.Errorf("uploading the code of %s: %w", f.Logical, err)
			}
		}
	}
	return s.body(fs, d.bucket())
}

// Remove deletes a stack, what was uploaded for it, and waits until both are gone.
func (d *Deployer) Remove(ctx context.Context, name string) error {
	info, err := d.Describe(ctx, name)
	if err != nil {
		return err
	}
	seen, err := d.seen(ctx, info.ID)
	if err != nil {
		return err
	}
	if err := d.cfn(ctx, "DeleteStack", url.Values{"StackName": {name}}, nil); err != nil {
		return err
	}
	if _, err := d.wait(ctx, info.ID, seen); err != nil {
		return err
	}
	return d.sweep(ctx, name)
}

// sweep deletes the uploads of a stack, and the bucket with the last of them.
func (d *Deployer) sweep(ctx context.Context, stack string) error {
	var list struct {
		Contents []struct {
			Key string `xml:"Key"`
		} `xml:"Contents"`
	}
	base := "/" + d.bucket()
	resp, err := d.Client.Do(ctx, client.Request{Service: "s3", Method: "GET", Path: base + "?list-type=2&prefix=" + url.QueryEscape(stack+"/")})
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == "NoSuchBucket" {
		return nil
	}
	if err != nil {
		return err
	}
	err = xml.NewDecoder(resp.Body).Decode(&list)
	resp.Body.Close()
	if err != nil {
		return err
	}
	for _, o := range list.Contents {
		resp, err := d.Client.Do(ctx, client.Request{Service: "s3", Method: "DELETE", Path: base + "/" + o.Key})
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	resp, err = d.Client.Do(ctx, client.Request{Service: "s3", Method: "DELETE", Path: base})
	if err == nil {
		resp.Body.Close()
	} else if errors.As(err, &ce) && (ce.Code == "BucketNotEmpty" || ce.Code == "NoSuchBucket") {
		err = nil // other stacks have their uploads there
	}
	return err
}

// seen returns the id of the newest event of a stack, "" if there is none.
func (d *Deployer) seen(ctx context.Context, stack string) (string, error) {
	events, err := d.events(ctx, stack)
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == "ValidationError" {
		return "", nil
	}
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].ID, nil
}

// events returns a stack's newest events, newest first.
func (d *Deployer) events(ctx context.Context, stack string) ([]Event, error) {
	var out struct {
		Events []Event `xml:"StackEvents>member"`
	}
	err := d.cfn(ctx, "DescribeStackEvents", url.Values{"StackName": {stack}}, &out)
	return out.Events, err
}

// wait follows a stack's events from the one called seen until the stack is at rest. A stack that did
// not get where it was going is an error that holds the first failure.
func (d *Deployer) wait(ctx context.Context, id, seen string) (*StackInfo, error) {
	var failure string
	for {
		info, err := d.Describe(ctx, id)
		if err != nil {
			return nil, err
		}
		events, err := d.events(ctx, id)
		if err != nil {
			return nil, err
		}
		fresh := events
		for i, e := range events {
			if e.ID == seen {
				fresh = events[:i]
				break
			}
		}
		for i := len(fresh) - 1; i >= 0; i-- {
			e := fresh[i]
			seen = e.ID
			if d.Progress != nil {
				d.Progress(e)
			}
			if failure == "" && strings.HasSuffix(e.Status, "_FAILED") {
				failure = fmt.Sprintf("%s (%s): %s", e.Logical, e.Type, e.Reason)
			}
		}
		if strings.HasSuffix(info.Status, "_IN_PROGRESS") {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(eventInterval):
			}
			continue
		}
		switch info.Status {
		case "CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE":
			return info, nil
		}
		if failure == "" {
			failure = info.Reason
		}
		return info, fmt.Errorf("stack %s is %s: %s", info.Name, info.Status, failure)
	}
}

// Sorted returns the outputs of info, those in order first.
func (info *StackInfo) Sorted(order []string) []Output {
	var out []Output
	done := map[string]bool{}
	for _, k := range order {
		for _, o := range info.Outputs {
			if o.Key == k && !done[k] {
				done[k] = true
				out = append(out, Output{o.Key, o.Value})
			}
		}
	}
	for _, o := range info.Outputs {
		if !done[o.Key] {
			out = append(out, Output{o.Key, o.Value})
		}
	}
	return out
}

// Physical returns the names of a stack's resources by logical id.
func (d *Deployer) Physical(ctx context.Context, stack string) (map[string]string, error) {
	out := map[string]string{}
	params := url.Values{"StackName": {stack}}
	for {
		var page struct {
			Resources []struct {
				Logical  string `xml:"LogicalResourceId"`
				Physical string `xml:"PhysicalResourceId"`
			} `xml:"StackResourceSummaries>member"`
			Next string `xml:"NextToken"`
		}
		if err := d.cfn(ctx, "ListStackResources", params, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Resources {
			out[r.Logical] = r.Physical
		}
		if page.Next == "" {
			return out, nil
		}
		params.Set("NextToken", page.Next)
	}
}

// UpdateCode puts the built package of a function into the running function called name, unless it
// is there already.
func (d *Deployer) UpdateCode(ctx context.Context, name string, f *Function) (changed bool, err error) {
	path := "/2015-03-31/functions/" + url.PathEscape(name)
	var conf struct{ CodeSha256 string }
	if err := d.Client.JSON(ctx, "lambda", http.MethodGet, path+"/configuration", nil, &conf); err != nil {
		return false, err
	}
	if conf.CodeSha256 == f.Package.SHA256 {
		return false, nil
	}
	in := map[string]string{"ZipFile": base64.StdEncoding.EncodeToString(f.Package.Zip)}
	return true, d.Client.JSON(ctx, "lambda", http.MethodPut, path+"/code", in, &json.RawMessage{})
}

// Down removes the app's stacks on the session's stage, the last first, and returns their names. It
// returns [ErrNoStack] if there was none.
func (s *Session) Down(ctx context.Context) ([]string, error) {
	stacks, err := s.App.Synth(ctx, s.Stage, s.Deployer)
	if err != nil {
		return nil, err
	}
	var removed []string
	for i := len(stacks) - 1; i >= 0; i-- {
		err := s.Deployer.of(stacks[i]).Remove(ctx, stacks[i].Name)
		if errors.Is(err, ErrNoStack) {
			continue
		}
		if err != nil {
			return removed, err
		}
		removed = append(removed, stacks[i].Name)
	}
	if len(removed) == 0 {
		return nil, ErrNoStack
	}
	return removed, nil
}
