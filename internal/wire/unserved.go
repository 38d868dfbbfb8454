package wire

import (
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/awsjson"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/query"
	"github.com/gatehouse-dev/gatehouse/internal/wire/restjson"
)

// Unserved tells whether r, for which [Server.Match] found nothing, is for a service of AWS's that this
// server does not have, and which: "dynamodb", "DynamoDB_20120810.ListTables".
func (s *Server) Unserved(r *http.Request) (service string, ok bool) {
	host := s.host(r)
	if host.data {
		return "", false
	}
	if scope, ok := ScopeOf(r); ok && scope.Service != "execute-api" && scope.Service != "" {
		if len(s.bySigning[scope.Service]) == 0 {
			return scope.Service, true
		}
		return "", false
	}
	if host.service != "" {
		if len(s.byEndpoint[host.service]) == 0 {
			return host.service, true
		}
		return "", false
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-1.") {
		prefix, _, _ := strings.Cut(target, ".")
		return target, s.byTarget[prefix] == nil
	}
	return "", false
}

// ServeUnserved answers a request for which [Server.Unserved] found service: a refusal that names it,
// in the protocol that the request looks like.
func (s *Server) ServeUnserved(w http.ResponseWriter, r *http.Request, service string) {
	var c codec = restjson.Codec{}
	m := &shape.Model{Endpoint: service, Protocol: shape.JSON11, Shapes: make([]shape.Shape, 1)}
	ct := r.Header.Get("Content-Type")
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		c = awsjson.Codec{}
		if strings.HasPrefix(ct, "application/x-amz-json-1.0") {
			m.Protocol = shape.JSON10
		}
	case strings.HasPrefix(ct, "application/x-www-form-urlencoded"):
		c = query.Codec{}
	}
	id := ident.RequestID()
	w.Header()["X-Amzn-Requestid"] = []string{id}
	res := proto.Response{Header: w.Header()}
	c.Error(m, nil, shape.Errorf("NotImplementedException", 501, "Gatehouse does not serve %s.", service), id, r.URL.Path, &res)
	w.WriteHeader(res.Status)
	if r.Method != http.MethodHead {
		w.Write(res.Body)
	}
}
