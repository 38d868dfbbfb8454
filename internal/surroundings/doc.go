// Package surroundings is what a program must find around it so that its calls of AWS reach this
// Gatehouse, unmodified: environment variables, and the files that they name. The commands run and env
// give it to tools, the engine gives it to functions.
//
// Programs are led here in four ways, for no single one is known to all of them:
//
//   - AWS_ENDPOINT_URL, which the SDKs read since 2023: plain HTTP to the server, nothing else needed.
//   - HTTPS_PROXY, which older SDKs for Python and Go, older AWS CLIs, curl and most tools read. They
//     call AWS's own names; the server's proxy takes the connection over if [Takes] the name, and ends
//     TLS with a certificate of the local authority. Everything else passes.
//   - Files of CA certificates, so that these clients trust that authority. Most variables replace the
//     system's roots instead of adding to them, so the file has both.
//   - For Node.js a module that is loaded first (preload.cjs), by NODE_OPTIONS: clients for Node.js that
//     know no endpoint variable know no proxy either. It changes one method, net.Socket's connect:
//     connections to names that [Takes] accepts go to the server, and trust its authority. TLS, the Host
//     header and HTTP/2 stay the client's own, and it works alike in CommonJS, ES modules, fetch, workers
//     and WebSockets. The module loads nothing but net: 0.3 ms of Node's 23 ms at start, and less in
//     functions, whose bootstrap needs net anyway.
//
// The proxy has a password, derived from the root's secret: to lead a connection to places that are not
// AWS's is a favour to programs that were started so, not to whoever finds the port.
package surroundings
