//go:build !race

package app

// previewed is how many days a preview is compared with.
const previewed = 7

// crashes is every how many of the crashes of reservations are tried.
const crashes = 1
