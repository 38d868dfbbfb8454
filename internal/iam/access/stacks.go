package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
//
// What a stack makes, and the template and parameters that it reads, are asked about when it does so: see
// package resource.
var cloudFormation = &table{
	prefix: "cloudformation",
	types: map[string]string{
		"stack":   "{StackName:stack}",
		"set":     "arn:{partition}:cloudformation:{region}:{account}:stackset/{StackSetName}:*",
		"listed":  "arn:{partition}:cloudformation:{region}:{account}:stack/*/*",
		"changed": "{ChangeSetName:changed}",
	},
	rules: `
*: ActivateOrganizationsAccess ActivateType BatchDescribeTypeConfigurations CreateGeneratedTemplate CreateStackRefactor
*: DeactivateOrganizationsAccess DeactivateType DeleteGeneratedTemplate DeregisterType DescribeAccountLimits DescribeGeneratedTemplate
*: DescribeOrganizationsAccess DescribePublisher DescribeResourceScan DescribeStackDriftDetectionStatus DescribeStackRefactor
*: DescribeType DescribeTypeRegistration EstimateTemplateCost ExecuteStackRefactor GetGeneratedTemplate GetHookResult ListExports
*: ListGeneratedTemplates ListHookResults ListImports ListResourceScanRelatedResources ListResourceScanResources ListResourceScans
*: ListStackRefactorActions ListStackRefactors ListTypeRegistrations ListTypeVersions ListTypes PublishType RecordHandlerProgress
*: RegisterPublisher RegisterType RemoveAlias SetTypeConfiguration SetTypeDefaultVersion StartResourceScan TestType UpdateGeneratedTemplate
*: ValidateTemplate
listed: ListStacks ListStackSets
stack: CancelUpdateStack ContinueUpdateRollback CreateChangeSet CreateStack DeleteStack DescribeStackEvents DescribeStackResource
stack: DescribeStackResourceDrifts DescribeStackResources DescribeStacks DetectStackDrift DetectStackResourceDrift GetStackPolicy
stack: ListChangeSets ListStackResources RollbackStack SetAlias SetStackPolicy SignalResource UpdateStack UpdateTerminationProtection
stack unless ChangeSetName: DescribeEvents GetTemplate
changed if ChangeSetName: DescribeEvents GetTemplate
changed: DeleteChangeSet DescribeChangeSet DescribeChangeSetHooks ExecuteChangeSet
stack if StackName: GetTemplateSummary
set if StackSetName: GetTemplateSummary
* unless StackName unless StackSetName: GetTemplateSummary
set: CreateStackInstances CreateStackSet DeleteStackInstances DeleteStackSet DescribeStackInstance DescribeStackSet
set: DescribeStackSetOperation DetectStackSetDrift ImportStacksToStackSet ListStackInstanceResourceDrifts ListStackInstances
set: ListStackSetAutoDeploymentTargets ListStackSetOperationResults ListStackSetOperations StopStackSetOperation UpdateStackInstances
set: UpdateStackSet

pass cloudformation.amazonaws.com RoleARN: CreateStack UpdateStack DeleteStack CreateChangeSet ContinueUpdateRollback RollbackStack
pass cloudformation.amazonaws.com AdministrationRoleARN: CreateStackSet UpdateStackSet
pass cloudformation.amazonaws.com ExecutionRoleArn: RegisterType ActivateType

key cloudformation:TemplateUrl TemplateURL: CreateStack UpdateStack CreateChangeSet CreateStackSet UpdateStackSet GetTemplateSummary ValidateTemplate EstimateTemplateCost
key cloudformation:RoleArn RoleARN: CreateStack UpdateStack DeleteStack CreateChangeSet ContinueUpdateRollback RollbackStack
key cloudformation:StackPolicyUrl StackPolicyURL: CreateStack UpdateStack SetStackPolicy
key cloudformation:ResourceTypes ResourceTypes[]: CreateStack UpdateStack CreateChangeSet
key cloudformation:ImportResourceTypes ResourcesToImport[].ResourceType: CreateChangeSet
key cloudformation:ChangeSetName ChangeSetName: CreateChangeSet DeleteChangeSet DescribeChangeSet DescribeChangeSetHooks ExecuteChangeSet GetTemplate
key cloudformation:TargetRegion Regions[]: CreateStackInstances DeleteStackInstances UpdateStackInstances UpdateStackSet
`,
	transforms: map[string]transform{
		"stack": func(a *asking, v string) string { return a.stackARN(v) },
		// A change set that is named by its ARN needs no stack beside it.
		"changed": func(a *asking, v string) string {
			if given := walk(a.in.FieldByName("StackName"), nil, nil); len(given) > 0 {
				return a.stackARN(given[0])
			}
			if a.m.StackID != nil && v != "" {
				if id := a.m.StackID(a.ctx, v); id != "" {
					return id
				}
			}
			return a.stackARN("")
		},
	},
}

// stackARN returns the ARN of a stack, whole for one that is there.
func (a *asking) stackARN(v string) string {
	if strings.HasPrefix(v, "arn:") {
		return v
	}
	if a.m.StackID != nil && v != "" {
		if id := a.m.StackID(a.ctx, v); id != "" {
			return id
		}
	}
	if v == "" {
		v = "*"
	}
	return "arn:" + a.call.Partition + ":cloudformation:" + a.call.Region + ":" + a.call.Account + ":stack/" + v + "/*"
}
