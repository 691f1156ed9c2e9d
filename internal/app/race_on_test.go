//go:build race

package app

// previewed is how many days a preview is compared with: the race detector makes them some ten times slower.
const previewed = 3

// crashes is every how many of the crashes of reservations are tried.
const crashes = 7
