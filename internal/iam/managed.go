package iam

import "strings"

// awsManaged names the policies of AWS's own that can be attached here, by what follows
// "arn:aws:iam::aws:policy/".
var awsManaged = map[string]bool{
	"AdministratorAccess":                               true,
	"AmazonCognitoPowerUser":                            true,
	"AmazonCognitoReadOnly":                             true,
	"AWSLambda_FullAccess":                              true,
	"AWSXRayDaemonWriteAccess":                          true,
	"CloudWatchLambdaInsightsExecutionRolePolicy":       true,
	"service-role/AWSLambdaBasicExecutionRole":          true,
	"service-role/AWSLambdaRole":                        true,
	"service-role/AWSLambdaVPCAccessExecutionRole":      true,
	"service-role/AmazonAPIGatewayPushToCloudWatchLogs": true,
}

// managed tells whether arn names a managed policy.
func managed(arn string) bool {
	name, ok := strings.CutPrefix(arn, "arn:aws:iam::aws:policy/")
	return ok && awsManaged[name]
}
