//go:build !race

package config

// shrink divides the sizes of the costly tests.
const shrink = 1
