//go:build race

package access_test

// raced: the race detector makes everything several times slower.
const raced = true
