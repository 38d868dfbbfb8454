package logs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func noGroup() error {
	return logs.ResourceNotFoundException("The specified log group does not exist.")
}

// groupARN returns a group's ARN; the API gives it with and without ":*".
func (s *Service) groupARN(region, name string) string {
	return arn.ARN{Partition: "aws", Service: "logs", Region: region, Account: s.Account, Resource: "log-group:" + name}.String()
}

// named returns the name of a group that is given by name or by ARN.
func (s *Service) named(ctx context.Context, name, identifier *string) (string, error) {
	if (name == nil) == (identifier == nil) {
		return "", logs.InvalidParameterException("Exactly one of logGroupName and logGroupIdentifier must be given.")
	}
	if name != nil {
		return *name, nil
	}
	if !strings.HasPrefix(*identifier, "arn:") {
		return *identifier, nil
	}
	return s.nameIn(ctx, *identifier)
}

// nameIn returns the name in the ARN of a group of the caller's region.
func (s *Service) nameIn(ctx context.Context, resource string) (string, error) {
	a, err := arn.Parse(resource)
	name, ok := strings.CutPrefix(a.Resource, "log-group:")
	if err != nil || !ok || !a.Of("logs", wire.CallFrom(ctx).Region, s.Account) {
		return "", noGroup()
	}
	return strings.TrimSuffix(name, ":*"), nil
}

// change applies f to a group of the caller's region.
func (s *Service) change(ctx context.Context, name string, f func(*group) error) error {
	key := groupKey(wire.CallFrom(ctx).Region, name)
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		g, err := groups.Get(tx, key.ID)
		if errors.Is(err, store.ErrNotFound) {
			return noGroup()
		}
		if err != nil {
			return err
		}
		if err := f(g); err != nil {
			return err
		}
		return groups.Put(tx, key, g)
	})
}

func (s *Service) CreateLogGroup(ctx context.Context, in *logs.CreateLogGroupRequest) (*logs.CreateLogGroupResponse, error) {
	return &logs.CreateLogGroupResponse{}, s.create(ctx, in, "")
}

// create makes a group. token, if any, tells tries to make the same group.
func (s *Service) create(ctx context.Context, in *logs.CreateLogGroupRequest, token string) error {
	if in.KmsKeyId != nil {
		return logs.InvalidParameterException("kmsKeyId is not supported: log events are not encrypted with keys of KMS.")
	}
	class := shape.Val(in.LogGroupClass)
	if class == "" {
		class = "STANDARD"
	}
	g := &group{Region: wire.CallFrom(ctx).Region, Name: in.LogGroupName, Created: s.Now().UnixMilli(), Class: class, Tags: in.Tags, Token: token}
	key := groupKey(g.Region, g.Name)
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		err := groups.Insert(tx, key, g)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if old, err := groups.Get(tx, key.ID); err != nil || token != "" && old.Token == token {
			return err
		}
		return logs.ResourceAlreadyExistsException("The specified log group already exists")
	})
}

func (s *Service) DeleteLogGroup(ctx context.Context, in *logs.DeleteLogGroupRequest) (*logs.DeleteLogGroupResponse, error) {
	region := wire.CallFrom(ctx).Region
	s.discard(region, in.LogGroupName)
	s.flushing.Lock() // a batch under way must not bring the group back
	defer s.flushing.Unlock()
	err := s.DB.Update(ctx, func(tx *store.Tx) error { return dropGroup(tx, groupID(region, in.LogGroupName)) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup()
	}
	return &logs.DeleteLogGroupResponse{}, err
}

func (s *Service) DescribeLogGroups(ctx context.Context, in *logs.DescribeLogGroupsRequest) (*logs.DescribeLogGroupsResponse, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, logs.InvalidParameterException("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	region := wire.CallFrom(ctx).Region
	limit := 50
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	wanted := func(g *group) bool {
		if in.LogGroupNamePattern != nil && !strings.Contains(strings.ToLower(g.Name), strings.ToLower(*in.LogGroupNamePattern)) {
			return false
		}
		if len(in.LogGroupIdentifiers) > 0 && !slices.ContainsFunc(in.LogGroupIdentifiers, func(id string) bool {
			name, err := s.named(ctx, nil, &id)
			return err == nil && name == g.Name
		}) {
			return false
		}
		return in.LogGroupClass == nil || g.Class == *in.LogGroupClass
	}
	out := &logs.DescribeLogGroupsResponse{LogGroups: []logs.LogGroup{}}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		prefix := groupID(region, shape.Val(in.LogGroupNamePrefix))
		// Keys are in order: begin just before the prefix, stop after its last.
		after := prefix
		if in.NextToken != nil {
			after = groupID(region, *in.NextToken)
		} else if g, err := groups.Get(tx, prefix); err == nil && wanted(g) {
			out.LogGroups = append(out.LogGroups, s.groupShape(tx, g))
		}
		for {
			page, next, err := groups.List(tx, region, after, 100)
			if err != nil {
				return err
			}
			for _, g := range page {
				if !strings.HasPrefix(groupID(region, g.Name), prefix) {
					return nil
				}
				if !wanted(g) {
					continue
				}
				if len(out.LogGroups) == limit {
					out.NextToken = out.LogGroups[limit-1].LogGroupName
					return nil
				}
				out.LogGroups = append(out.LogGroups, s.groupShape(tx, g))
			}
			if next == "" {
				return nil
			}
			after = next
		}
	})
	return out, err
}

func (s *Service) groupShape(tx *store.Tx, g *group) logs.LogGroup {
	var bytes int64
	// A group without streams has stored nothing.
	if err := tx.QueryRow("SELECT COALESCE(CAST(SUM(bytes) AS BIGINT), 0) FROM log_streams WHERE grp = $1", groupID(g.Region, g.Name)).Scan(&bytes); err != nil {
		s.Logger.Error("log group's size", "err", err)
	}
	a := s.groupARN(g.Region, g.Name)
	out := logs.LogGroup{LogGroupName: shape.Ptr(g.Name), CreationTime: shape.Ptr(g.Created), MetricFilterCount: shape.Ptr(int64(0)),
		Arn: shape.Ptr(a + ":*"), LogGroupArn: shape.Ptr(a), StoredBytes: shape.Ptr(bytes), LogGroupClass: shape.Ptr(g.Class)}
	if g.Retention > 0 {
		out.RetentionInDays = shape.Ptr(g.Retention)
	}
	return out
}

// retentions are the days that CloudWatch Logs allows.
var retentions = []int64{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func (s *Service) PutRetentionPolicy(ctx context.Context, in *logs.PutRetentionPolicyRequest) (*logs.PutRetentionPolicyResponse, error) {
	if !slices.Contains(retentions, in.RetentionInDays) {
		return nil, logs.InvalidParameterException("%s", "Value not valid for retentionInDays: "+strconv.FormatInt(in.RetentionInDays, 10))
	}
	err := s.change(ctx, in.LogGroupName, func(g *group) error { g.Retention = in.RetentionInDays; return nil })
	return &logs.PutRetentionPolicyResponse{}, err
}

func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *logs.DeleteRetentionPolicyRequest) (*logs.DeleteRetentionPolicyResponse, error) {
	err := s.change(ctx, in.LogGroupName, func(g *group) error { g.Retention = 0; return nil })
	return &logs.DeleteRetentionPolicyResponse{}, err
}

func (s *Service) TagResource(ctx context.Context, in *logs.TagResourceRequest) (*logs.TagResourceResponse, error) {
	name, err := s.nameIn(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, name, func(g *group) error {
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		for k, v := range in.Tags {
			g.Tags[k] = v
		}
		if len(g.Tags) > 50 {
			return logs.TooManyTagsException("A resource can have no more than 50 tags.")
		}
		return nil
	})
	return &logs.TagResourceResponse{}, err
}

func (s *Service) UntagResource(ctx context.Context, in *logs.UntagResourceRequest) (*logs.UntagResourceResponse, error) {
	name, err := s.nameIn(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, name, func(g *group) error {
		for _, k := range in.TagKeys {
			delete(g.Tags, k)
		}
		return nil
	})
	return &logs.UntagResourceResponse{}, err
}

func (s *Service) ListTagsForResource(ctx context.Context, in *logs.ListTagsForResourceRequest) (*logs.ListTagsForResourceResponse, error) {
	name, err := s.nameIn(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	g, err := groups.Cached(ctx, s.DB, groupID(wire.CallFrom(ctx).Region, name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup()
	}
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for k, v := range g.Tags {
		tags[k] = v
	}
	return &logs.ListTagsForResourceResponse{Tags: tags}, nil
}

func (s *Service) CreateLogStream(ctx context.Context, in *logs.CreateLogStreamRequest) (*logs.CreateLogStreamResponse, error) {
	id := groupID(wire.CallFrom(ctx).Region, in.LogGroupName)
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := groups.Get(tx, id); err != nil {
			return err
		}
		n, err := tx.Exec("INSERT INTO log_streams (grp, stream, created, first_ts, last_ts, ingested, bytes) VALUES ($1, $2, $3, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
			id, in.LogStreamName, s.Now().UnixMilli())
		if err == nil && n == 0 {
			err = logs.ResourceAlreadyExistsException("The specified log stream already exists")
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup()
	}
	return &logs.CreateLogStreamResponse{}, err
}

func (s *Service) PutLogEvents(ctx context.Context, in *logs.PutLogEventsRequest) (*logs.PutLogEventsResponse, error) {
	region := wire.CallFrom(ctx).Region
	if !slices.IsSortedFunc(in.LogEvents, func(a, b logs.InputLogEvent) int { return int(a.Timestamp - b.Timestamp) }) {
		return nil, logs.InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
	}
	batch := make([]line, len(in.LogEvents))
	s.mu.Lock()
	for i, e := range in.LogEvents {
		s.seq++
		batch[i] = line{region, in.LogGroupName, in.LogStreamName, e.Timestamp, s.seq, e.Message}
	}
	s.mu.Unlock()
	err := s.DB.Update(ctx, func(tx *store.Tx) error {
		var one int64
		err := tx.QueryRow("SELECT 1 FROM log_streams WHERE grp = $1 AND stream = $2", groupID(region, in.LogGroupName), in.LogStreamName).Scan(&one)
		if err != nil {
			return err
		}
		return storeLines(tx, batch, s.Now())
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, logs.ResourceNotFoundException("The specified log stream does not exist.")
	}
	return &logs.PutLogEventsResponse{}, err
}

func (s *Service) DescribeLogStreams(ctx context.Context, in *logs.DescribeLogStreamsRequest) (*logs.DescribeLogStreamsResponse, error) {
	name, err := s.named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := shape.Val(in.OrderBy) == "LastEventTime"
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, logs.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	limit := int64(50)
	if in.Limit != nil {
		limit = *in.Limit
	}
	offset := int64(0)
	if in.NextToken != nil {
		if offset, err = strconv.ParseInt(*in.NextToken, 10, 64); err != nil || offset < 0 {
			return nil, logs.InvalidParameterException("The specified nextToken is invalid.")
		}
	}
	order := "stream"
	if byTime {
		order = "last_ts"
	}
	if shape.Val(in.Descending) {
		order += " DESC"
	}
	region := wire.CallFrom(ctx).Region
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	out := &logs.DescribeLogStreamsResponse{LogStreams: []logs.LogStream{}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		id, prefix := groupID(region, name), shape.Val(in.LogStreamNamePrefix)
		if _, err := groups.Get(tx, id); err != nil {
			return err
		}
		rows, err := tx.Query("SELECT stream, created, first_ts, last_ts, ingested FROM log_streams WHERE grp = $1 AND SUBSTR(stream, 1, $2) = $3 ORDER BY "+order+" LIMIT $4 OFFSET $5",
			id, len(prefix), prefix, limit+1, offset)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if int64(len(out.LogStreams)) == limit {
				out.NextToken = shape.Ptr(strconv.FormatInt(offset+limit, 10))
				break
			}
			var st logs.LogStream
			var stream string
			var created, first, last, ingested int64
			if err := rows.Scan(&stream, &created, &first, &last, &ingested); err != nil {
				return err
			}
			st.LogStreamName, st.CreationTime, st.StoredBytes = &stream, &created, shape.Ptr(int64(0)) // AWS reports 0 since 2019
			st.Arn = shape.Ptr(s.groupARN(region, name) + ":log-stream:" + stream)
			if last > 0 {
				st.FirstEventTimestamp, st.LastEventTimestamp, st.LastIngestionTime = &first, &last, &ingested
			}
			out.LogStreams = append(out.LogStreams, st)
		}
		return rows.Err()
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup()
	}
	return out, err
}

// bounds returns the half-open interval of times that a request asks for.
func bounds(start, end *int64) (from, to int64) {
	from, to = 0, math.MaxInt64
	if start != nil {
		from = *start
	}
	if end != nil {
		to = *end
	}
	return from, to
}

// token and parseToken write and read a place in a group, with the direction of reading.
func token(dir byte, c cursor) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%c/%d/%d", dir, c.ts, c.seq))
}

func parseToken(s string) (dir byte, c cursor, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		_, err = fmt.Sscanf(string(raw), "%c/%d/%d", &dir, &c.ts, &c.seq)
	}
	if err != nil || dir != 'f' && dir != 'b' {
		return 0, c, logs.InvalidParameterException("The specified nextToken is invalid.")
	}
	return dir, c, nil
}

func (s *Service) GetLogEvents(ctx context.Context, in *logs.GetLogEventsRequest) (*logs.GetLogEventsResponse, error) {
	name, err := s.named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	limit := 10000
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	from, to := bounds(in.StartTime, in.EndTime)
	// Without StartFromHead the newest events come first, but in their order.
	back, at := !shape.Val(in.StartFromHead), cursor{-1, math.MaxInt64}
	if back {
		at = cursor{math.MaxInt64, math.MaxInt64}
	}
	if in.NextToken != nil {
		var dir byte
		if dir, at, err = parseToken(*in.NextToken); err != nil {
			return nil, err
		}
		back = dir == 'b'
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	var events []stored
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		id := groupID(wire.CallFrom(ctx).Region, name)
		var one int64
		if err := tx.QueryRow("SELECT 1 FROM log_streams WHERE grp = $1 AND stream = $2", id, in.LogStreamName).Scan(&one); err != nil {
			return err
		}
		return scan(tx, id, in.LogStreamName, from, to, at, back, limit, func(e *stored) bool {
			events = append(events, *e)
			return true
		})
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, logs.ResourceNotFoundException("The specified log stream does not exist.")
	}
	if err != nil {
		return nil, err
	}
	if back {
		slices.Reverse(events)
	}
	first, last := at, at
	out := &logs.GetLogEventsResponse{Events: []logs.OutputLogEvent{}}
	for i, e := range events {
		if i == 0 {
			first = cursor{e.ts, e.seq}
		}
		last = cursor{e.ts, e.seq}
		out.Events = append(out.Events, logs.OutputLogEvent{Timestamp: shape.Ptr(e.ts), Message: shape.Ptr(e.message), IngestionTime: shape.Ptr(e.ingested)})
	}
	// At the end the token is the one that was given: that is how clients know.
	out.NextForwardToken, out.NextBackwardToken = shape.Ptr(token('f', last)), shape.Ptr(token('b', first))
	return out, nil
}

func (s *Service) FilterLogEvents(ctx context.Context, in *logs.FilterLogEventsRequest) (*logs.FilterLogEventsResponse, error) {
	name, err := s.named(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != nil {
		return nil, logs.InvalidParameterException("logStreamNames and logStreamNamePrefix cannot be given together.")
	}
	match, err := parsePattern(shape.Val(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	limit := 10000
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	from, to := bounds(in.StartTime, in.EndTime)
	at := cursor{-1, math.MaxInt64}
	if in.NextToken != nil {
		if _, at, err = parseToken(*in.NextToken); err != nil {
			return nil, err
		}
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	out := &logs.FilterLogEventsResponse{Events: []logs.FilteredLogEvent{}, SearchedLogStreams: []logs.SearchedLogStream{}}
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		id := groupID(wire.CallFrom(ctx).Region, name)
		if _, err := groups.Get(tx, id); err != nil {
			return err
		}
		// One call looks at so many events at the most; a token says where to go on.
		const look = 100000
		seen := 0
		err := scan(tx, id, "", from, to, at, false, look, func(e *stored) bool {
			if len(out.Events) == limit {
				return false
			}
			seen++
			at = cursor{e.ts, e.seq}
			if len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, e.stream) ||
				in.LogStreamNamePrefix != nil && !strings.HasPrefix(e.stream, *in.LogStreamNamePrefix) || !match(e.message) {
				return true
			}
			out.Events = append(out.Events, logs.FilteredLogEvent{LogStreamName: shape.Ptr(e.stream), Timestamp: shape.Ptr(e.ts),
				Message: shape.Ptr(e.message), IngestionTime: shape.Ptr(e.ingested), EventId: shape.Ptr(fmt.Sprintf("%020d%020d", e.ts, e.seq))})
			return true
		})
		if len(out.Events) == limit || seen == look {
			out.NextToken = shape.Ptr(token('f', at))
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noGroup()
	}
	return out, err
}
