// Package vtl executes templates in the Velocity Template Language as Apache Velocity 1.7 does and API
// Gateway's mapping templates use it (https://velocity.apache.org/engine/1.7/user-guide.html).
//
// # Shape
//
// Compile makes a tree once; Template.Execute walks it with the values that the caller binds to names. A
// template may be executed by many goroutines. Names are resolved to slots when a template is compiled.
//
// Values are those of package jsonpath (nil, bool, int64, float64, Number, string, *Object, *Array) and
// whatever implements Object, by which a caller brings things with properties and methods of their own
// ($input, $util). They have the Java methods that templates use: those of String, List, Map, Map.Entry,
// Iterator, Set, Integer, Double and Boolean; see strings.go, collections.go and numbers.go. A property or
// method that does not exist is null, as in Velocity.
//
// # What is Velocity's
//
//   - A reference that is null prints itself as it is written; with $! it prints nothing. One that begins
//     at an Object of the caller prints nothing either: API Gateway prints an empty string for
//     parameters, variables and paths that are not there.
//   - #set with null leaves the variable as it was. Only null and false are false.
//   - Integers divide to integers; division by zero is null; + joins strings; == compares what is not of
//     one type by its text.
//   - White space before #set goes, and the rest of a directive's line behind it.
//   - Maps print as {a=b}, lists as [a, b]; arrays of a JSON document print as JSON, as API Gateway's do.
//   - A loop ends after Limits.Iterations rounds, silently, as directive.foreach.maxloops has it.
//   - Identifiers may hold hyphens: $a-1 is a name.
//
// Supported directives: #set #if #elseif #else #end #foreach #break #stop #macro #define, block macros
// (#@name), #[[ ]]#, comments. #parse, #include and #evaluate are refused when a template is compiled, for
// they reach for files or make code. Regular expressions are Go's; what Java's have beyond them
// (look-around, back references) is an error when it is met.
//
// # Bounds
//
// A template cannot run away: Limits bounds steps, output, the memory of what it makes, depth, and the
// time that the caller's methods take; the context ends it early. Each ends with an error that says which.
package vtl
