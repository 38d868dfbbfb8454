import { Api, type StackContext } from "@serverless-stack/resources";
import { UserPool } from "aws-cdk-lib/aws-cognito";

export function NotesStack({ stack }: StackContext) {
  const users = new UserPool(stack, "Users", { selfSignUpEnabled: true, signInAliases: { email: true } });
  const client = users.addClient("Client", { authFlows: { userPassword: true } });

  const api = new Api(stack, "Api", {
    authorizers: { users: { type: "user_pool", userPool: { id: users.userPoolId, clientIds: [client.userPoolClientId] } } },
    defaults: { authorizer: "users" },
    routes: {
      "GET /notes": "functions/notes.handler",
      "GET /about": { function: "functions/about.handler", authorizer: "none" },
    },
  });

  stack.addOutputs({ ApiEndpoint: api.url, UserPoolId: users.userPoolId, UserPoolClientId: client.userPoolClientId });
}
