package access

import "strings"

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
//
// A log group stands in questions with ":log-stream:" behind its name, so that policies have to name it
// with ":*", as the guide says; only what is about tags names it bare.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
var cloudWatchLogs = &table{
	prefix: "logs",
	types: map[string]string{
		"group":       "{LogGroupName:group}",
		"identified":  "{LogGroupIdentifier:group}",
		"stream":      "arn:{partition}:logs:{region}:{account}:log-group:{LogGroupName}:log-stream:{LogStreamName}",
		"streamof":    "{LogGroupIdentifier:stream}",
		"groups":      "arn:{partition}:logs:{region}:{account}:log-group::log-stream:",
		"tagged":      "{ResourceArn:bare}",
		"destination": "arn:{partition}:logs:{region}:{account}:destination:{DestinationName}",
		"delivery":    "arn:{partition}:logs:{region}:{account}:delivery:{Id}",
		"source":      "arn:{partition}:logs:{region}:{account}:delivery-source:{Name}",
		"target":      "arn:{partition}:logs:{region}:{account}:delivery-destination:{Name}",
		"detector":    "{AnomalyDetectorArn}",
	},
	rules: `
*: AssociateSourceToS3TableIntegration CancelExportTask CancelImportTask CreateImportTask CreateLookupTable CreateScheduledQuery
*: DeleteAccountPolicy DeleteIntegration DeleteQueryDefinition DeleteResourcePolicy DescribeAccountPolicies
*: DescribeConfigurationTemplates DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources DescribeExportTasks
*: DescribeImportTaskBatches DescribeImportTasks DescribeLookupTables DescribeQueries DescribeQueryDefinitions
*: DescribeResourcePolicies DisassociateSourceFromS3TableIntegration GetIntegration GetLogFields GetLogObject GetLogRecord
*: GetQueryResults GetStorageTierPolicy ListAggregateLogGroupSummaries ListIntegrations ListLogAnomalyDetectors ListLogGroups
*: ListLogGroupsForQuery ListScheduledQueries ListSourcesForS3TableIntegration PutAccountPolicy PutIntegration PutQueryDefinition
*: PutResourcePolicy PutStorageTierPolicy StopQuery TestMetricFilter TestTransformer
groups: DescribeLogGroups
tagged: TagResource UntagResource ListTagsForResource
group: CreateExportTask CreateLogGroup DeleteLogGroup DeleteMetricFilter DeleteRetentionPolicy DeleteSubscriptionFilter
group: DescribeMetricFilters DescribeSubscriptionFilters ListTagsLogGroup PutMetricFilter PutRetentionPolicy PutSubscriptionFilter
group: TagLogGroup UntagLogGroup
group if Tags: CreateLogGroup=TagResource
group if LogGroupName: AssociateKmsKey DisassociateKmsKey
{ResourceIdentifier:group} unless LogGroupName: AssociateKmsKey DisassociateKmsKey
group unless LogGroupIdentifier: DescribeLogStreams FilterLogEvents GetLogGroupFields
identified if LogGroupIdentifier: DescribeLogStreams FilterLogEvents GetLogGroupFields ListSyslogConfigurations
groups unless LogGroupIdentifier: ListSyslogConfigurations
identified: DeleteDataProtectionPolicy DeleteIndexPolicy DeleteSyslogConfiguration DeleteTransformer GetDataProtectionPolicy
identified: GetTransformer PutBearerTokenAuthentication PutDataProtectionPolicy PutIndexPolicy PutLogGroupDeletionProtection
identified: PutSyslogConfiguration PutTransformer
{LogGroupIdentifiers[]:group}: DescribeFieldIndexes DescribeIndexPolicies StartLiveTail StartQuery
{LogGroupNames[]:group}: StartQuery
group if LogGroupName: StartQuery
groups unless LogGroupName unless LogGroupNames unless LogGroupIdentifiers: StartQuery
{LogGroupArnList[]:group}: CreateLogAnomalyDetector
stream: CreateLogStream DeleteLogStream PutLogEvents
stream unless LogGroupIdentifier: GetLogEvents
streamof if LogGroupIdentifier: GetLogEvents
destination: DeleteDestination PutDestination PutDestinationPolicy
arn:{partition}:logs:{region}:{account}:destination:*: DescribeDestinations
delivery: DeleteDelivery GetDelivery UpdateDeliveryConfiguration
arn:{partition}:logs:{region}:{account}:delivery:*: CreateDelivery
source: DeleteDeliverySource GetDeliverySource PutDeliverySource
target: DeleteDeliveryDestination GetDeliveryDestination PutDeliveryDestination
arn:{partition}:logs:{region}:{account}:delivery-destination:{DeliveryDestinationName}: DeleteDeliveryDestinationPolicy GetDeliveryDestinationPolicy PutDeliveryDestinationPolicy
detector: DeleteLogAnomalyDetector GetLogAnomalyDetector ListAnomalies UpdateAnomaly UpdateLogAnomalyDetector
{LookupTableArn}: DeleteLookupTable GetLookupTable UpdateLookupTable
{Identifier}: DeleteScheduledQuery GetScheduledQuery GetScheduledQueryHistory UpdateScheduledQuery

pass logs.amazonaws.com RoleArn: PutDestination PutSubscriptionFilter
pass logs.amazonaws.com ExecutionRoleArn: CreateScheduledQuery UpdateScheduledQuery
pass logs.amazonaws.com ImportRoleArn: CreateImportTask

key logs:DestinationArn DestinationArn: PutSubscriptionFilter
`,
	transforms: map[string]transform{
		"group": func(a *asking, v string) string { return a.logGroup(v) + ":log-stream:" },
		"stream": func(a *asking, v string) string {
			return a.logGroup(v) + ":log-stream:" + a.in.FieldByName("LogStreamName").String()
		},
		"bare": func(a *asking, v string) string { return a.tagged(v) },
	},
}

// logGroup returns the ARN of a group that is called by its name or its ARN.
func (a *asking) logGroup(v string) string {
	if strings.HasPrefix(v, "arn:") { // the service takes the name, wherever the group is said to be
		if parts := strings.SplitN(v, ":", 6); len(parts) == 6 {
			v = strings.TrimSuffix(strings.TrimPrefix(parts[5], "log-group:"), ":*")
		}
	}
	if v == "" {
		v = "*"
	}
	return "arn:" + a.call.Partition + ":logs:" + a.call.Region + ":" + a.call.Account + ":log-group:" + v
}

// tagged returns the ARN of a group or of a destination or delivery, which have tags, too.
func (a *asking) tagged(v string) string {
	if strings.HasPrefix(v, "arn:") && !strings.Contains(v, ":log-group:") {
		return v
	}
	return a.logGroup(v)
}
