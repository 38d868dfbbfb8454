// Package bench measures Gatehouse from outside, through its port, as ratios to a floor that is measured
// in the same run: a bare reverse proxy, a bare signature, a server with few users. Times are noisy on a
// shared machine; ratios hold. docs/performance.md has the results and how to repeat them.
package bench
