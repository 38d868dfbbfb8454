// Package session makes and opens temporary credentials.
//
// A session token holds everything about its session: who it is, what limits it, until when, and the
// secret key that its requests are signed with. It is sealed (package seal) and bound to its access
// key id, so nobody but a node of this server can read it, and none can be made, changed or moved to
// another key. No row is written when credentials are given, none is read when they are used, and any
// node opens what another one made. AWS's tokens are opaque to their bearers too: their length and
// content may change at any time.
//
// What a token cannot know is what happened since. Whoever opens one must look whether the role or
// user is still there, with the same unique id (OwnerID): one that was deleted and made anew under
// its name is another one. Sessions are revoked as on AWS, by policies on aws:TokenIssueTime.
//
// The form of a token is base64 of a sealed body: the secret key's 30 bytes, a byte that says whether
// the rest is deflated, and the session as JSON. The secret stays outside what is compressed, for the
// length of a compressed text tells something of what is in it. A plain session of a role takes 312
// characters, where AWS's take some 800; none is longer than MaxToken.
//
// Opened tokens are kept in a bounded cache under their SHA-256, so that the next request that bears
// one costs that hash. Only what did open gets in. The time is looked at each time.
//
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html.
package session
