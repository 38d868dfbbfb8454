// Package stacks is CloudFormation: it makes, changes and removes the resources of templates.
//
// The way of a change:
//
//	request → desired (template, parameters, checked) → plan (differences) → Operation → phases → steps
//
// Everything that can be known is checked before anything is stored: the template's form, parameters,
// resource types, properties whose values are known, references, cycles, exports and imports. What is
// wrong there is answered as a ValidationError. After that the stack is in progress, and an [Operation]
// says what it is to become.
//
// # Phases and steps
//
// An operation goes through phases (forward, rollback, cleanup); each phase is a set of steps with an
// order among them, one for each resource, and up to eight handlers run at a time (run.go). What
// a phase has to do follows from the stored state alone: a phase that is begun again does what is left.
//
//	create   forward ─ ok → CREATE_COMPLETE
//	                 └ failed → rollback: delete what was made → ROLLBACK_COMPLETE
//	update   forward ─ ok → cleanup: delete what was replaced or removed → UPDATE_COMPLETE
//	                 └ failed → rollback: old properties again → cleanup: delete what was new → UPDATE_ROLLBACK_COMPLETE
//	delete   forward: delete everything, dependents first → DELETE_COMPLETE
//
// # Durability
//
// Before a handler is called, the step is stored with its Token and the evaluated properties; after it,
// its result. Changes of state that are independent of each other share a transaction. After a crash,
// [Service.Start] takes up what is in progress and goes on where it was: a step without a result is run
// again with the same Token and the same properties. So an interrupted creation is finished rather than
// rolled back. Only an operation that has been taken up three times in its forward phase, perhaps
// because it is what brings the server down, is rolled back.
//
// A handler's Create finds by the Token what a first try has made (package resource, "Twice").
//
// Several servers may share a database: the row of an operation names its owner and how long its lease
// lasts. Every transaction of the operation renews it, and fails if another has taken over.
//
// # On whose behalf
//
// A stack with a role acts as that role, assumed by cloudformation.amazonaws.com; others act as whoever
// asked for the operation. Everything that a handler does is asked of that one's policies (package
// resource, "Behalf"), and so is what the template reads: parameters, outputs of other stacks, and by
// the caller itself the template's object. Who that is, is kept with the operation without secrets, and found
// again when another server takes it up: with the policies of that moment, and not at all if the user or
// role is gone. A refused step fails its resource with AWS's text, and the rollback acts as the same
// caller. Who deletes a stack whose creation is under way only stops the creation: the deletion is
// its caller's (acting.go).
//
// # What is waited for
//
// Custom resources are made by functions, which are sent an event and answer with a PUT to an address that is
// AWS's in form and leads home (answers.go, custom.go); wait conditions by signals to such an address (waits.go);
// nested stacks by operations of their own (nested.go). A step that waits holds nothing but its place: when the
// server closes or dies it is begun again by the next one, with the same token, and waits for the same
// answer. When the operation fails meanwhile, it is told so and lets go. A creation that failed and may have
// left something names it, and the rollback deletes that: so a function that has said FAILED, or nothing, is
// sent a Delete, as on AWS.
//
// # Taking back, taking in
//
// An operation that ended half-way stays with its stack, so that ContinueUpdateRollback and RollbackStack can
// go on from it (rollbacks.go). A stack policy is held against each change before it is begun
// (guards.go). Resources that exist are imported by an update to what the template says (imports.go).
//
// # Where we answer otherwise than AWS
//
//   - An update with a nested stack in its template always updates that; its change set does not show what
//     changes within (IncludeNestedStacks is taken and has no effect).
//   - A custom resource whose function names no PhysicalResourceId gets a name of ours, or keeps the one it has.
//   - Drift is not detected: what is asked about it is NOT_CHECKED. DeploymentConfig's modes are one.
//   - AWS::ECR::Repository is a name and an ARN; there is no registry of images.
//   - Deleting a stack whose exports are imported, and removing such an export, is a ValidationError at
//     once, with the text that AWS puts into the stack's events.
//   - Failures of handlers read "message (ErrorCode)".
//   - Outputs are rewritten by Options.Outputs when they are shown; exports and references see the
//     original value.
package stacks
