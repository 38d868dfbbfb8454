package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
var ssmTable = &table{
	prefix: "ssm",
	types: map[string]string{
		"all":        "arn:{partition}:ssm:{region}:{account}:*",
		"parameter":  "{Name:parameter}",
		"parameters": "{Names[]:parameter}",
		"document":   "{Name:document}",
		"run":        "{DocumentName:document}",
		"tagged":     "{ResourceId:tagged}",
		"instance":   "arn:{partition}:ssm:{region}:{account}:managed-instance/{InstanceId}",
		"window":     "arn:{partition}:ssm:{region}:{account}:maintenancewindow/{WindowId}",
		"baseline":   "arn:{partition}:ssm:{region}:{account}:patchbaseline/{BaselineId}",
		"opsitem":    "arn:{partition}:ssm:{region}:{account}:opsitem/{OpsItemId}",
		"ops":        "{OpsMetadataArn}",
		"execution":  "arn:{partition}:ssm:{region}:{account}:automation-execution/{AutomationExecutionId}",
		"assoc":      "arn:{partition}:ssm:{region}:{account}:association/{AssociationId}",
		"setting":    "arn:{partition}:ssm:{region}:{account}:servicesetting/{SettingId}",
		"session":    "arn:{partition}:ssm:{region}:{account}:session/{SessionId}",
		"sync":       "arn:{partition}:ssm:{region}:{account}:resource-data-sync/{SyncName}",
		"connector":  "arn:{partition}:ssm:{region}:{account}:cloud-connector/{CloudConnectorId}",
	},
	rules: `
parameter: DeleteParameter GetParameter GetParameterHistory LabelParameterVersion PutParameter UnlabelParameterVersion
parameter if Tags: PutParameter=AddTagsToResource
parameters: DeleteParameters GetParameters
{Path:path}: GetParametersByPath
tagged: AddTagsToResource ListTagsForResource RemoveTagsFromResource
all: DescribeParameters

all: CancelCommand CancelMaintenanceWindowExecution CreateActivation CreateAssociationBatch CreateCloudConnector CreateMaintenanceWindow
all: CreateOpsItem CreateOpsMetadata CreatePatchBaseline CreateResourceDataSync DeleteActivation DeleteInventory
all: DeregisterDefaultHostManagementConfiguration=UpdateServiceSetting DescribeActivations DescribeAutomationExecutions
all: DescribeAvailablePatches DescribeInstanceInformation DescribeInstancePatchStates DescribeInstancePatchStatesForPatchGroup
all: DescribeInstanceProperties DescribeInventoryDeletions DescribeMaintenanceWindowExecutionTaskInvocations
all: DescribeMaintenanceWindowExecutionTasks DescribeMaintenanceWindows DescribeMaintenanceWindowsForTarget DescribeOpsItems
all: DescribePatchBaselines DescribePatchGroupState DescribePatchGroups DescribePatchProperties DescribeSessions
all: DescribeMaintenanceWindowSchedule DisassociateOpsItemRelatedItem AssociateOpsItemRelatedItem GetAccessToken GetCalendarState
all: GetCommandInvocation GetConnectionStatus GetDeployablePatchSnapshotForInstance GetExecutionPreview GetInventory GetInventorySchema
all: GetMaintenanceWindowExecution GetMaintenanceWindowExecutionTask GetMaintenanceWindowExecutionTaskInvocation GetOpsSummary
all: GetPatchBaselineForPatchGroup GetDefaultPatchBaseline ListAssociations ListCloudConnectors ListCommandInvocations ListCommands
all: ListComplianceItems ListComplianceSummaries ListDocuments ListInventoryEntries ListNodes ListNodesSummary ListOpsItemEvents
all: ListOpsItemRelatedItems ListOpsMetadata ListResourceComplianceSummaries ListResourceDataSync PutComplianceItems
all: RegisterDefaultHostManagementConfiguration=UpdateServiceSetting StartAccessRequest StartExecutionPreview
instance: DeregisterManagedInstance DescribeEffectiveInstanceAssociations DescribeInstanceAssociationsStatus DescribeInstancePatches
instance: PutInventory UpdateManagedInstanceRole
window: DeleteMaintenanceWindow DeregisterTargetFromMaintenanceWindow DeregisterTaskFromMaintenanceWindow
window: DescribeMaintenanceWindowExecutions DescribeMaintenanceWindowTargets DescribeMaintenanceWindowTasks GetMaintenanceWindow
window: GetMaintenanceWindowTask RegisterTargetWithMaintenanceWindow RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindow
window: UpdateMaintenanceWindowTarget UpdateMaintenanceWindowTask
baseline: DeletePatchBaseline DeregisterPatchBaselineForPatchGroup DescribeEffectivePatchesForPatchBaseline GetPatchBaseline
baseline: RegisterDefaultPatchBaseline RegisterPatchBaselineForPatchGroup UpdatePatchBaseline
opsitem: DeleteOpsItem GetOpsItem UpdateOpsItem
ops: DeleteOpsMetadata GetOpsMetadata UpdateOpsMetadata
assoc: DeleteAssociation DescribeAssociation DescribeAssociationExecutionTargets DescribeAssociationExecutions ListAssociationVersions
assoc: UpdateAssociation
arn:{partition}:ssm:{region}:{account}:association/{AssociationIds[]}: StartAssociationsOnce
document: CreateAssociation CreateDocument DeleteDocument DescribeDocument DescribeDocumentPermission GetDocument
document: ListDocumentMetadataHistory ListDocumentVersions ModifyDocumentPermission UpdateAssociationStatus UpdateDocument
document: UpdateDocumentDefaultVersion UpdateDocumentMetadata
run: SendCommand StartSession StartChangeRequestExecution
arn:{partition}:ssm:{region}:{account}:automation-definition/{DocumentName}: StartAutomationExecution
execution: DescribeAutomationStepExecutions GetAutomationExecution SendAutomationSignal StopAutomationExecution
session: ResumeSession TerminateSession
setting: GetServiceSetting ResetServiceSetting UpdateServiceSetting
sync: DeleteResourceDataSync UpdateResourceDataSync
connector: DeleteCloudConnector GetCloudConnector UpdateCloudConnector ValidateCloudConnector
{ResourceArn}: DeleteResourcePolicy GetResourcePolicies PutResourcePolicy

pass ssm.amazonaws.com IamRole: CreateActivation UpdateManagedInstanceRole
pass ssm.amazonaws.com ServiceRoleArn: SendCommand RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindowTask
pass ssm.amazonaws.com RoleArn: CreateCloudConnector

key ssm:Overwrite Overwrite: PutParameter
key ssm:Policies Policies: PutParameter
key ssm:Recursive Recursive: GetParametersByPath
key ssm:DocumentType DocumentType: CreateDocument
`,
	transforms: map[string]transform{
		"parameter": func(a *asking, v string) string { return a.parameter(v) },
		"path":      func(a *asking, v string) string { return a.parameter(strings.TrimRight(v, "/")) },
		"document":  func(a *asking, v string) string { return a.ssm("document/", v) },
		"tagged": func(a *asking, v string) string {
			kind := a.in.FieldByName("ResourceType").String()
			if kind == "Parameter" {
				return a.parameter(v)
			}
			for _, k := range [...][2]string{{"Document", "document/"}, {"ManagedInstance", "managed-instance/"}, {"MaintenanceWindow", "maintenancewindow/"},
				{"PatchBaseline", "patchbaseline/"}, {"OpsItem", "opsitem/"}, {"OpsMetadata", "opsmetadata/"}, {"Automation", "automation-execution/"},
				{"Association", "association/"}} {
				if kind == k[0] {
					return a.ssm(k[1], v)
				}
			}
			return a.ssm("", "*")
		},
	},
}

func (a *asking) ssm(kind, v string) string {
	if strings.HasPrefix(v, "arn:") {
		return v
	}
	return "arn:" + a.call.Partition + ":ssm:" + a.call.Region + ":" + a.call.Account + ":" + kind + v
}

// parameter returns the ARN of a parameter that is called by its name or ARN, either with a version or
// label behind a colon. The slash before the name of one in a hierarchy is not doubled.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html
func (a *asking) parameter(v string) string {
	if rest, ok := strings.CutPrefix(v, "arn:"); ok {
		parts := strings.SplitN(rest, ":", 5) // partition, service, region, account, the rest
		if len(parts) < 5 {
			return v
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(parts[4], "parameter/"), ":")
		return "arn:" + a.call.Partition + ":ssm:" + parts[2] + ":" + parts[3] + ":parameter/" + name
	}
	name, _, _ := strings.Cut(v, ":")
	return a.ssm("parameter/", strings.TrimPrefix(name, "/"))
}
