// What a web page does with aws-amplify: as a guest, then signed in, it calls an API that wants signed requests.
import { Amplify } from "aws-amplify";
import { fetchAuthSession, signIn, signOut } from "aws-amplify/auth";
import { get } from "aws-amplify/api";

// call returns status and body of a call through Amplify.
async function call(path) {
  try {
    const { body, statusCode } = await get({ apiName: "api", path }).response;
    return `${statusCode} ${await body.text()}`;
  } catch (e) {
    if (!e.response) throw e;
    return `${e.response.statusCode} ${e.response.body}`;
  }
}

async function plain(url) {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}

window.steps = async (conf) => {
  try {
    Amplify.configure({
      Auth: {
        Cognito: {
          userPoolId: conf.userPoolId,
          userPoolClientId: conf.clientId,
          identityPoolId: conf.identityPoolId,
          allowGuestAccess: true,
          userPoolEndpoint: conf.server,
          identityPoolEndpoint: conf.server,
        },
      },
      API: { REST: { api: { endpoint: conf.endpoint, region: "us-east-1", service: "execute-api" } } },
    });
    const out = {};
    out.Public = await plain(`${conf.endpoint}/public`);
    out.Stranger = await plain(`${conf.endpoint}/private`);
    out.Guest = await call("/private");
    await signIn({ username: conf.username, password: conf.password });
    out.IdentityID = (await fetchAuthSession()).identityId;
    out.Private = await call("/private");
    await fetchAuthSession({ forceRefresh: true });
    out.Renewed = await call("/private");
    await signOut();
    return out;
  } catch (e) {
    return { Error: `${e.name}: ${e.message} ${JSON.stringify(e.underlyingError ?? e.response ?? {})}` };
  }
};
