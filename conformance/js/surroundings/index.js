// What SDKs of several ages find with the credentials of the function's role, and what they are refused.
import STS from "aws-sdk/clients/sts";
import S3 from "aws-sdk/clients/s3";
import PoolsV2 from "aws-sdk/clients/cognitoidentityserviceprovider";
import { CognitoIdentityProviderClient as Now, ListUserPoolsCommand as ListNow } from "@aws-sdk/client-cognito-identity-provider";
import { CognitoIdentityProviderClient as Client43, ListUserPoolsCommand as List43 } from "sdk-3.43";
import { CognitoIdentityProviderClient as Client363, ListUserPoolsCommand as List363 } from "sdk-3.363";

const attempt = async (call) => {
  try {
    return await call();
  } catch (e) {
    return `${e.code || e.name}: ${e.message}`;
  }
};
const pools = (r) => r.UserPools.map((p) => p.Name);

export const handler = async (event) => {
  if (event.rawPath) return { statusCode: 200, body: `${event.requestContext.domainName} ${event.rawPath}` };
  return {
    who: await attempt(async () => (await new STS().getCallerIdentity().promise()).Arn),
    v2: await attempt(async () => pools(await new PoolsV2().listUserPools({ MaxResults: 5 }).promise())),
    now: await attempt(async () => pools(await new Now({}).send(new ListNow({ MaxResults: 5 })))),
    v43: await attempt(async () => pools(await new Client43({}).send(new List43({ MaxResults: 5 })))),
    v363: await attempt(async () => pools(await new Client363({}).send(new List363({ MaxResults: 5 })))),
    denied: await attempt(() => new S3().listBuckets().promise()),
  };
};
