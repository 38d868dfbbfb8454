import * as path from 'node:path';
import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnApi, CfnAuthorizer, CfnDeployment, CfnIntegration, CfnRoute, CfnStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** An HTTP API whose one route asks for a token of a user pool. Its integration calls the function as a role. */
export class HelloStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);

    const users = new UserPool(this, 'Users', { removalPolicy: RemovalPolicy.DESTROY });
    const client = users.addClient('Client', { authFlows: { adminUserPassword: true } });

    const hello = new Function(this, 'HelloFunction', {
      runtime: Runtime.PYTHON_3_13,
      handler: 'hello.handler',
      code: Code.fromAsset(path.join(__dirname, '..', 'functions')),
    });
    const caller = new Role(this, 'Caller', {
      assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
      inlinePolicies: { invoke: new PolicyDocument({ statements: [new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [hello.functionArn] })] }) },
    });

    const api = new CfnApi(this, 'Api', { name: 'hello', protocolType: 'HTTP' });
    const authorizer = new CfnAuthorizer(this, 'Authorizer', {
      apiId: api.attrApiId,
      name: 'users',
      authorizerType: 'JWT',
      identitySource: ['$request.header.Authorization'],
      jwtConfiguration: { audience: [client.userPoolClientId], issuer: `https://cognito-idp.${this.region}.amazonaws.com/${users.userPoolId}` },
    });
    const integration = new CfnIntegration(this, 'Integration', {
      apiId: api.attrApiId,
      integrationType: 'AWS_PROXY',
      integrationUri: hello.functionArn,
      credentialsArn: caller.roleArn,
      payloadFormatVersion: '1.0',
    });
    const route = new CfnRoute(this, 'Route', {
      apiId: api.attrApiId,
      routeKey: 'GET /hello',
      authorizationType: 'JWT',
      authorizerId: authorizer.ref,
      target: `integrations/${integration.ref}`,
    });
    const deployment = new CfnDeployment(this, 'Deployment', { apiId: api.attrApiId });
    deployment.addDependency(route);
    new CfnStage(this, 'Stage', { apiId: api.attrApiId, stageName: 'api', deploymentId: deployment.attrDeploymentId });

    new CfnOutput(this, 'ApiEndpoint', { value: `${api.attrApiEndpoint}/api` });
    new CfnOutput(this, 'UserPoolId', { value: users.userPoolId });
    new CfnOutput(this, 'UserPoolClientId', { value: client.userPoolClientId });
  }
}
