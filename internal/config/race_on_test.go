//go:build race

package config

// shrink divides the sizes of the costly tests: the race detector makes them some ten times slower.
const shrink = 8
