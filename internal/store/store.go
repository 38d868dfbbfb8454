// Package store keeps all state of Gatehouse, in embedded SQLite or in PostgreSQL.
//
// Three things are stored: documents (configuration: pools, APIs, functions, stacks; few, wide,
// read through a cache), tables that services define and query themselves (people, sessions,
// messages, log events; many, narrow, found by index), and blobs (code archives, objects).
//
// One SQL text serves both engines: $1 binds, ON CONFLICT … RETURNING, TEXT, BIGINT, BOOLEAN and
// BYTEA columns, times as epoch milliseconds, documents as JSON text. Every write goes through
// [DB.Update], which returns only when the change is durable.
package store
