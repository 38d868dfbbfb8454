// Package sam is the transform AWS::Serverless-2016-10-31: it makes plain CloudFormation of the
// resources of the Serverless Application Model.
//
// # What is made of what
//
//	AWS::Serverless::Function      function, role, version and alias, URL, permissions of its APIs
//	AWS::Serverless::Api           REST API with a Swagger body, deployment, stage, usage plan, domain
//	AWS::Serverless::HttpApi       HTTP API with an OpenAPI body, stage, domain
//	AWS::Serverless::Application   nested stack
//	AWS::Serverless::LayerVersion  layer version, named by a hash
//
// The work goes in the published transform's order, because its results show it: definitions for APIs
// that have none; the functions' events, which fill them and make the implicit APIs; the section
// Globals; then functions, APIs and the rest, one by one, each fault noted and the next one looked at;
// at last references to what became of a serverless resource.
//
// # The same, down to names
//
// The tests hold the result against what the published transform makes of the same templates. Names
// with hashes are the hard part: a deployment of a REST API is named after its definition as Python
// prints it, see python.go. All that a function, an API or an event may have is written out in tables
// (schemas, globalProperties); policy templates are data.
//
// # What is refused
//
// Resource types, events and properties for which this server has no service (tables, state machines,
// schedules, queues, gradual deployments, images) are refused by name. What only the resources that
// come out can tell, their handlers tell.
//
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
package sam
