package restapis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

var gatewayParameter = regexp.MustCompile(`^gatewayresponse\.header\.[a-zA-Z0-9._$!#%&'*+^|~\x60-]+$`)

// defaultResponse is a gateway response that nobody has changed; nil for a type that is unknown.
func defaultResponse(typ string) *v1.GatewayResponse {
	status, ok := defaultStatus[typ]
	if !ok {
		return nil
	}
	return &v1.GatewayResponse{ResponseType: &typ, StatusCode: opt(status), ResponseParameters: map[string]string{},
		ResponseTemplates: map[string]string{"application/json": defaultTemplate}, DefaultResponse: shape.Ptr(true)}
}

func checkGatewayResponse(r *v1.GatewayResponse) error {
	if _, ok := defaultStatus[*r.ResponseType]; !ok {
		return v1.NotFoundException("Invalid gateway response type specified: %s", *r.ResponseType)
	}
	if s := shape.Val(r.StatusCode); s != "" && !statusCode.MatchString(s) {
		return bad("Invalid status code specified: %s", s)
	}
	for _, to := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if !gatewayParameter.MatchString(to) {
			return bad("Invalid response parameter specified: %s", to)
		}
		switch from := r.ResponseParameters[to]; {
		case strings.HasPrefix(from, "'") && strings.HasSuffix(from, "'") && len(from) >= 2:
		case strings.HasPrefix(from, "method.request."), strings.HasPrefix(from, "context."), strings.HasPrefix(from, "stageVariables."):
		default:
			return bad("Invalid response parameter specified: %s", from)
		}
	}
	return nil
}

func (s *Service) PutGatewayResponse(ctx context.Context, in *v1.PutGatewayResponseRequest) (*v1.GatewayResponse, error) {
	r := &v1.GatewayResponse{ResponseType: &in.ResponseType, StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters,
		ResponseTemplates: in.ResponseTemplates, DefaultResponse: shape.Ptr(false)}
	if r.StatusCode == nil {
		r.StatusCode = opt(defaultStatus[in.ResponseType])
	}
	if r.ResponseParameters == nil {
		r.ResponseParameters = map[string]string{}
	}
	if r.ResponseTemplates == nil {
		r.ResponseTemplates = map[string]string{"application/json": defaultTemplate}
	}
	if err := checkGatewayResponse(r); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		return responses.Put(tx, partKey(in.RestApiId, in.ResponseType, ""), r)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// getGatewayResponse returns the response of a type: the API's own, else AWS's.
func getGatewayResponse(tx *store.Tx, apiID, typ string) (*v1.GatewayResponse, error) {
	r, err := responses.Get(tx, apiID+"/"+typ)
	if missing(err, "") == err {
		return r, err
	}
	if r = defaultResponse(typ); r == nil {
		return nil, v1.NotFoundException("Invalid gateway response type specified: %s", typ)
	}
	return r, nil
}

func (s *Service) GetGatewayResponse(ctx context.Context, in *v1.GetGatewayResponseRequest) (r *v1.GatewayResponse, err error) {
	err = s.view(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		r, err = getGatewayResponse(tx, in.RestApiId, in.ResponseType)
		return err
	})
	return r, err
}

// GetGatewayResponses returns all types, changed or not. As they are few, there is one page.
func (s *Service) GetGatewayResponses(ctx context.Context, in *v1.GetGatewayResponsesRequest) (*v1.GatewayResponses, error) {
	if _, err := limitOf(in.Limit); err != nil {
		return nil, err
	}
	out := &v1.GatewayResponses{Items: []v1.GatewayResponse{}}
	err := s.view(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		out.Items = out.Items[:0]
		for _, typ := range sortedKeys(defaultStatus) {
			r, err := getGatewayResponse(tx, in.RestApiId, typ)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// gatewayResponseFields is what can be patched of a gateway response.
var gatewayResponseFields = []field[v1.GatewayResponse]{
	{"/responseParameters/{name+}", "add remove replace", setKey(func(r *v1.GatewayResponse) *map[string]string { return &r.ResponseParameters })},
	{"/responseTemplates/{contentType+}", "add remove replace", setKey(func(r *v1.GatewayResponse) *map[string]string { return &r.ResponseTemplates })},
	{"/statusCode", "add remove replace", setText(func(r *v1.GatewayResponse) **string { return &r.StatusCode })},
}

func (s *Service) UpdateGatewayResponse(ctx context.Context, in *v1.UpdateGatewayResponseRequest) (r *v1.GatewayResponse, err error) {
	err = s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		if r, err = getGatewayResponse(tx, in.RestApiId, in.ResponseType); err != nil {
			return err
		}
		if err := apply(gatewayResponseFields, r, in.PatchOperations); err != nil {
			return err
		}
		r.DefaultResponse = shape.Ptr(false)
		if err := checkGatewayResponse(r); err != nil {
			return err
		}
		return responses.Put(tx, partKey(in.RestApiId, in.ResponseType, ""), r)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// DeleteGatewayResponse takes back what was changed of a gateway response.
func (s *Service) DeleteGatewayResponse(ctx context.Context, in *v1.DeleteGatewayResponseRequest) (*v1.DeleteGatewayResponseResponse, error) {
	err := s.update(ctx, in.RestApiId, func(tx *store.Tx, _ *api) error {
		err := responses.Delete(tx, in.RestApiId+"/"+in.ResponseType)
		if missing(err, "") != err {
			return v1.NotFoundException("Gateway response type not defined on api")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &v1.DeleteGatewayResponseResponse{}, nil
}
