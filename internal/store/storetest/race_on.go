//go:build race

package storetest

// manyMemories is small here: the race detector checks every pointer of the
// transpiled SQLite, which makes it fifty times slower.
const manyMemories = 1_500
