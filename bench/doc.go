// Package bench measures Gatehouse from outside, through its port, beside floors that are measured in the
// same run: a bare reverse proxy, bare signatures. Each server runs in a process of its own, so cpu-µs,
// allocs/req and B/req are the server's alone. Times are noisy on a shared machine; ratios hold.
// docs/performance.md has the results and how to repeat them.
package bench
