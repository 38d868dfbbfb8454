// Package api is the home of the generated API models, one package a service. They come from
// models/*.json, which tools/sync takes from AWS's public SDKs; see models/SOURCES.md.
package api

//go:generate go run -C ../../tools ./gen
