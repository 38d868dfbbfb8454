import * as path from 'node:path';
import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CognitoUserPoolsAuthorizer, LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import type { Construct } from 'constructs';

/** People sign up, confirm and sign in through functions of the API; whoever has a token reads the notes. */
export class NotesStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);

    const users = new UserPool(this, 'Users', {
      selfSignUpEnabled: true,
      signInAliases: { email: true },
      autoVerify: { email: true },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const client = users.addClient('Client', { authFlows: { userPassword: true } });

    const api = new RestApi(this, 'Api');
    const authorizer = new CognitoUserPoolsAuthorizer(this, 'Authorizer', { cognitoUserPools: [users] });

    const code = (name: string, action?: string) => {
      const f = new NodejsFunction(this, name, {
        entry: path.join(__dirname, '..', 'functions', `${name}.ts`),
        runtime: Runtime.NODEJS_22_X,
        environment: { CLIENT_ID: client.userPoolClientId },
        bundling: { externalModules: [] }, // the SDK comes along
      });
      if (action) f.addToRolePolicy(new PolicyStatement({ actions: [action], resources: [users.userPoolArn] }));
      return new LambdaIntegration(f);
    };

    api.root.addResource('sign-up').addMethod('POST', code('sign-up', 'cognito-idp:SignUp'));
    api.root.addResource('confirm').addMethod('POST', code('confirm', 'cognito-idp:ConfirmSignUp'));
    api.root.addResource('sign-in').addMethod('POST', code('sign-in', 'cognito-idp:InitiateAuth'));
    api.root.addResource('notes').addMethod('GET', code('notes'), { authorizer });

    new CfnOutput(this, 'UserPoolId', { value: users.userPoolId });
    new CfnOutput(this, 'UserPoolClientId', { value: client.userPoolClientId });
  }
}
