// Package message keeps what is sent to people: verification codes, temporary passwords.
//
// A message is written to the outbox in the very transaction that makes it necessary, so that a
// code exists if and only if its message does. What is not delivered to anybody (no SMTP server is
// configured, or the channel is SMS) stays readable in the outbox, which is what `gatehouse mail`
// shows. Where an SMTP server is configured, one goroutine delivers: woken by the commit, not by
// polling; a failed delivery is tried again after 5 s, then twice as long each time up to an hour,
// 12 times in all, and what became of it stands in the row. Several nodes may deliver from one
// database: a node takes a message by moving its next attempt forward, which only one can do. A
// message is thus sent at least once, and twice only if a node dies between the server's answer and
// its own note of it.
//
// Subject, body and code are sealed: the database alone does not tell them. Messages are dropped
// after [Retention].
package message
