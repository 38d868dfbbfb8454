package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_lambda.html
var lambdaTable = &table{
	prefix: "lambda",
	types: map[string]string{
		"function":  "{FunctionName:function}",
		"qualified": "{FunctionName:qualified}",
		"layer":     "{LayerName:layer}",
		"version":   "{LayerName:layer}:{VersionNumber}",
		"mapping":   "arn:{partition}:lambda:{region}:{account}:event-source-mapping:{UUID}",
		"signing":   "{CodeSigningConfigArn}",
		"provider":  "{CapacityProviderName:provider}",
		"durable":   "{DurableExecutionArn}",
		"code":      "arn:{partition}:s3:::{Code.S3Bucket}/{Code.S3Key}",
		"newcode":   "arn:{partition}:s3:::{S3Bucket}/{S3Key}",
		"content":   "arn:{partition}:s3:::{Content.S3Bucket}/{Content.S3Key}",
		"layers":    "{Layers[]}",
	},
	rules: `
*: CreateCodeSigningConfig CreateEventSourceMapping GetAccountSettings ListCapacityProviders ListCodeSigningConfigs ListEventSourceMappings
*: ListFunctions ListLayerVersions ListLayers SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat
*: SendDurableExecutionCallbackSuccess
function: AddPermission CreateAlias CreateFunction CreateFunctionUrlConfig DeleteAlias DeleteFunction DeleteFunctionCodeSigningConfig
function: DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig GetAlias GetFunction
function: GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionConfiguration GetFunctionEventInvokeConfig
function: GetFunctionRecursionConfig GetFunctionScalingConfig GetFunctionUrlConfig GetPolicy GetRuntimeManagementConfig ListAliases
function: ListDurableExecutionsByFunction ListFunctionEventInvokeConfigs ListFunctionUrlConfigs ListProvisionedConcurrencyConfigs
function: ListVersionsByFunction PublishVersion PutFunctionCodeSigningConfig PutFunctionConcurrency PutFunctionEventInvokeConfig
function: PutFunctionRecursionConfig PutFunctionScalingConfig PutRuntimeManagementConfig RemovePermission UpdateAlias
function: UpdateFunctionCode UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig UpdateFunctionUrlConfig
qualified: Invoke=InvokeFunction InvokeAsync InvokeWithResponseStream=InvokeFunction
qualified: DeleteProvisionedConcurrencyConfig GetProvisionedConcurrencyConfig PutProvisionedConcurrencyConfig
layer: PublishLayerVersion
version: AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy RemoveLayerVersionPermission
{Arn}: GetLayerVersionByArn=GetLayerVersion
layers: CreateFunction=GetLayerVersion UpdateFunctionConfiguration=GetLayerVersion
mapping: DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping
signing: DeleteCodeSigningConfig GetCodeSigningConfig ListFunctionsByCodeSigningConfig UpdateCodeSigningConfig
provider: CreateCapacityProvider DeleteCapacityProvider GetCapacityProvider ListFunctionVersionsByCapacityProvider UpdateCapacityProvider
durable: CheckpointDurableExecution GetDurableExecution GetDurableExecutionHistory GetDurableExecutionState StopDurableExecution
{ResourceArn}: DeleteResourcePolicy GetResourcePolicy PutResourcePolicy
{Resource:tagged}: ListTags TagResource UntagResource
function if Tags: CreateFunction=TagResource
provider if Tags: CreateCapacityProvider=TagResource
* if Tags: CreateCodeSigningConfig=TagResource CreateEventSourceMapping=TagResource

code if Code.S3Bucket unless Code.S3ObjectVersion: CreateFunction=s3:GetObject
code if Code.S3ObjectVersion: CreateFunction=s3:GetObjectVersion
newcode if S3Bucket unless S3ObjectVersion: UpdateFunctionCode=s3:GetObject
newcode if S3ObjectVersion: UpdateFunctionCode=s3:GetObjectVersion
content if Content.S3Bucket unless Content.S3ObjectVersion: PublishLayerVersion=s3:GetObject
content if Content.S3ObjectVersion: PublishLayerVersion=s3:GetObjectVersion

pass lambda.amazonaws.com Role: CreateFunction UpdateFunctionConfiguration
pass lambda.amazonaws.com PermissionsConfig.CapacityProviderOperatorRoleArn: CreateCapacityProvider

key lambda:Principal Principal: AddPermission AddLayerVersionPermission
key lambda:EventSourceToken EventSourceToken: AddPermission
key lambda:FunctionUrlAuthType FunctionUrlAuthType: AddPermission
key lambda:FunctionUrlAuthType AuthType: CreateFunctionUrlConfig UpdateFunctionUrlConfig
key lambda:FunctionArn FunctionName:function: CreateEventSourceMapping UpdateEventSourceMapping CreateFunctionUrlConfig DeleteFunctionUrlConfig
key lambda:FunctionArn FunctionName:function: GetFunctionUrlConfig ListFunctionUrlConfigs UpdateFunctionUrlConfig
key lambda:EventSourceArn EventSourceArn: CreateEventSourceMapping
key lambda:Layer Layers[]: CreateFunction UpdateFunctionConfiguration
key lambda:CodeSigningConfigArn CodeSigningConfigArn: CreateFunction PutFunctionCodeSigningConfig
key lambda:SubnetIds VpcConfig.SubnetIds[]: CreateFunction UpdateFunctionConfiguration
key lambda:SecurityGroupIds VpcConfig.SecurityGroupIds[]: CreateFunction UpdateFunctionConfiguration
`,
	transforms: map[string]transform{
		"function": func(a *asking, v string) string { arn, _ := a.function(v); return arn },
		"qualified": func(a *asking, v string) string {
			arn, qualifier := a.function(v)
			if f := a.in.FieldByName("Qualifier"); f.IsValid() {
				if given := walk(f, nil, nil); len(given) > 0 {
					qualifier = given[0]
				}
			}
			if qualifier != "" {
				arn += ":" + qualifier
			}
			return arn
		},
		"tagged": func(a *asking, v string) string {
			if strings.HasPrefix(v, "arn:") && !strings.Contains(v, ":function:") {
				return v
			}
			arn, _ := a.function(v)
			return arn
		},
		"layer":    func(a *asking, v string) string { return a.named(v, "layer:") },
		"provider": func(a *asking, v string) string { return a.named(v, "capacity-provider:") },
	},
}

// named returns the ARN of something of Lambda's that is called by its name or its ARN.
func (a *asking) named(v, kind string) string {
	if strings.HasPrefix(v, "arn:") || v == "" {
		return v
	}
	return "arn:" + a.call.Partition + ":lambda:" + a.call.Region + ":" + a.call.Account + ":" + kind + v
}

// function reads the forms that a function's name may have, as the service does: NAME, function:NAME,
// ACCOUNT:function:NAME and the ARN, each with a qualifier behind it.
func (a *asking) function(v string) (arn, qualifier string) {
	region, account := a.call.Region, a.call.Account
	if rest, ok := strings.CutPrefix(v, "arn:"); ok {
		if parts := strings.SplitN(rest, ":", 4); len(parts) == 4 { // partition, service, region, the rest
			region, v = parts[2], parts[3]
		}
	}
	if rest, ok := strings.CutPrefix(v, "function:"); ok {
		v = rest
	} else if before, rest, ok := strings.Cut(v, ":function:"); ok {
		account, v = before, rest
	}
	name, qualifier, _ := strings.Cut(v, ":")
	return "arn:" + a.call.Partition + ":lambda:" + region + ":" + account + ":function:" + name, qualifier
}
