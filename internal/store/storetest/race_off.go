//go:build !race

package storetest

// manyMemories is more than any one scope is expected to hold.
const manyMemories = 10_000
