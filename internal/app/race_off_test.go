//go:build !race

package app

// previewed is how many days a preview is compared with.
const previewed = 7
