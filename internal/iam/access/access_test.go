package access

import (
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

var models = []*shape.Model{&apigateway.Model, &apigatewayv2.Model, &cloudformation.Model, &cognitoidentity.Model, &cognitoidp.Model,
	&iamapi.Model, &lambda.Model, &logs.Model, &s3.Model, &ssm.Model, &sts.Model}

// TestEveryOperation fails for an operation of any served service of which nothing is known.
func TestEveryOperation(t *testing.T) {
	call := &wire.Call{Account: "000000000000", Region: "us-east-1", Partition: "aws", Principal: "arn:aws:iam::000000000000:user/ann"}
	for _, m := range models {
		for i := range m.Operations {
			op := &m.Operations[i]
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Errorf("%v", p)
					}
				}()
				o := services[m.ID].compiled(m, op.Name)
				(&Map{}).Of(t.Context(), m, op, op.New(), call)
				if !o.free && len(o.rules) == 0 {
					t.Errorf("%s: %s: no question", m.ID, op.Name)
				}
			}()
		}
	}
}
