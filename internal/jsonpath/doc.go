// Package jsonpath selects parts of a JSON document by JSONPath as the Java library of Jayway does,
// which is what API Gateway's $input.path and $input.json evaluate.
//
// # Documents
//
// Decode keeps the order of an object's members, for what a template prints follows it. Values are nil,
// bool, string, int64, float64, Number (numbers that are neither), *Object and *Array. Objects and arrays
// are shared by reference: a template that changes what it selected changes the document, as in Java.
//
// # Paths
//
// Dots and brackets, wildcards, several names or indexes, slices, negative indexes, deep scans, filters
// (comparison, existence, =~, in, nin, subsetof, anyof, noneof, size, empty, contains; && || !) and the
// functions at the end of a path (length, size, min, max, avg, sum, stddev, keys, first, last). What is
// Jayway's and not everybody's:
//
//   - A definite path (names and single indexes only) gives the value, or ErrNotFound; every other path
//     gives an array of what matched, in document order, empty if nothing did.
//   - Several names at the end of a path give one object with these members.
//   - A name never descends into the elements of an array; a filter on an object tests the object itself.
//   - Values compare only with values of their own type.
//
// # Bounds
//
// A path is parsed once and may be used by many goroutines. An evaluation visits at most MaxVisits nodes
// (deep scans in a row multiply) and then ends with ErrLimit. Documents nest MaxDepth deep. Regular
// expressions are Go's, which run in linear time; Java's look-around is refused when the path is parsed.
package jsonpath
