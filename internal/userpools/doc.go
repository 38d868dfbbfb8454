// Package userpools is Amazon Cognito user pools (cognito-idp): pools, app clients, users, sign-in
// and tokens.
//
// # What is kept where
//
// A pool and an app client are documents, read through the store's cache. Each holds the very shape
// that DescribeUserPool or DescribeUserPoolClient returns, less what is secret or counted. Users,
// the names they sign in with, sessions, codes and failed attempts are rows, found by index at any
// number of users; store.go holds all SQL. A pool has a small number beside its id, which keeps the
// rows of its users under 900 bytes each.
//
// # Names
//
// A user is known by the sub, a random UUID that never changes, and by a username that never
// changes either. Where the pool has UsernameAttributes the username is the sub, and the e-mail
// address or phone number signs in; where it has AliasAttributes, a verified address or number, or
// the preferred username, signs in besides the username. All names of a pool share one table with
// one unique key, so no name can mean two people. Names, and the values that ListUsers searches, are
// folded to lower case, names only unless the pool is case sensitive (UsernameConfiguration; absent,
// a pool is case sensitive, as AWS documents).
//
// # Passwords
//
// There is one record of a password: the SRP salt and verifier, sealed with a key outside the
// database. SRP sign-in proves against it, a password that comes in clear is checked against it. A
// name that does not exist is met with a decoy that is stable and costs the same, where the client
// asks for that (PreventUserExistenceErrors). After five failures in a row a user is locked for 1 s,
// then for twice as long with each further one, up to 15 minutes.
//
// # Challenges and sessions
//
// What the server must remember between the steps of a sign-in travels with the client, sealed: the
// SECRET_BLOCK of SRP and the Session of other challenges. The answer that leads on notes the
// challenge's id in the same transaction that opens the session, so it counts once.
//
// A session is one sign-in. Its id is the tokens' origin_jti, its row says that it lives. A refresh
// token is a sealed pair of session id and secret; the row holds the secret's hash, and where the client
// rotates refresh tokens the hash before it, for the grace period. Signing out,
// RevokeToken, disabling and deleting a user all delete rows; the self-service operations
// ask for the row behind an access token, so a revoked one is refused at once. Tokens of clients
// with EnableTokenRevocation off carry the session in event_id instead.
//
// # Codes and messages
//
// A code is six digits, sealed at rest, compared in constant time, good once, for a limited time and
// five tries; at most five of a kind are sent to a user in an hour. It is written in the transaction
// that makes it necessary, together with its message in the outbox.
//
// # What is refused
//
// Settings that would change behaviour that this version does not have (Lambda triggers, MFA, device
// tracking, threat protection, links instead of codes, …) are refused by name with
// InvalidParameterException rather than stored and ignored. OAuth settings of clients are stored:
// sign-in pages read them.
package userpools
