// Package identitypools is Amazon Cognito identity pools (cognito-identity): it gives identities to people who
// log in elsewhere, and to guests, and credentials of roles to identities.
//
// # What is kept where
//
// A pool is a document, read through the store's cache: its settings, its roles and their mappings. Identities
// and their logins are rows. A login is a provider and a subject there; that pair is the key of its row, so it
// means one identity of a pool for ever, also when two nodes meet it for the first time at the same moment. Who
// comes back costs look-ups by key, and no write. store.go holds all SQL.
//
// # Logins
//
// Every login is verified: an ID token of a user pool or of another OpenID Connect provider by signature,
// issuer, audience and expiry; a SAML response by its provider's certificate; with ServerSideTokenCheck also
// that the user is still there, enabled and signed in. The developer's own users are vouched for by
// GetOpenIdTokenForDeveloperIdentity, which is a signed call; what it answers is a token of this package, which
// is a login too. Logins with Facebook, Amazon and Twitter can be configured, as on AWS, but only those companies'
// servers can verify them: they are refused by name.
//
// # Identities
//
// A guest is an identity without logins. With its first login it becomes that login's identity and keeps its
// id; if the login has an identity already, that one is answered, and the guest is disabled and remembers which
// took its place. An identity that has logins is reached with at least one of them; others that come along
// are linked to it, at most one of each public provider. Logins of two identities in one call are a
// ResourceConflictException: only MergeDeveloperIdentities merges. An identity whose last login was removed is
// disabled for good.
//
// # Roles
//
// In the enhanced flow (GetCredentialsForIdentity) the pool chooses the role: the default one, or by a mapping
// for the login's provider. Type Token takes the roles in a user pool's token or a SAML assertion, never those that
// another provider writes into such a claim; type Rules takes the first rule that matches. Whatever is chosen,
// the role's own trust policy decides, with the condition keys cognito-identity.amazonaws.com:aud (the pool),
// :sub (the identity) and :amr (how it has logged in). Guests are bounded by a session policy besides.
//
// In the basic flow (GetOpenIdToken) the client gets a token and asks STS itself. Where the pool maps roles or has
// AllowClassicFlow off, there is none. Tokens of all pools have one issuer, https://cognito-identity.amazonaws.com,
// as on AWS; its key is made when the first is issued.
//
// # What is refused
//
// Logins with Facebook, Login with Amazon, Twitter and Digits: their tokens cannot be verified without asking those
// companies' servers. Tokens that say nothing of their key (kid). A pool's settings for Cognito Sync, which is
// another service.
//
// # Where we answer otherwise than AWS
//
// The tokens of identity pools are signed with RS256, AWS's with RS512. Guests have one session policy that says what
// AWS's two say. A login in which AWS could not be observed is refused rather than guessed at: logins of two identities in
// one call are a ResourceConflictException.
package identitypools
