// Package bundle makes deployment packages out of sources: what `aws lambda create-function` would
// be given as a ZIP file.
//
// What is built follows from the path that a template names, and from the runtime:
//
//   - a TypeScript or JavaScript file (or a directory where the handler is TypeScript) is bundled
//     with esbuild, in process, with everything it imports;
//   - a directory of a Go main package, for provided.al2023, provided.al2 and go1.x, is compiled
//     with the go command to an executable called bootstrap. It is compiled for this machine, whatever
//     architecture the template names, because this machine will run it;
//   - a Python file is packed with the Python files beside and below it;
//   - a .zip file is taken as it is, and any other file or directory is packed as it is.
//
// Packages are deterministic: the same sources give the same bytes, so an unchanged function is
// recognised by its CodeSha256. Faults in sources come back as an [*Error] whose diagnostics name
// file, line and column.
//
// [Extract] is the way back, for archives that anybody may have sent: it refuses names and links
// that lead out of the directory, and bounds what an archive may unpack to.
package bundle
