package store

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// runIDLayout sorts as text in the order of time, up to the year 9999.
const runIDLayout = "20060102T150405.000000Z"

// NewRunID returns an ID for a run that starts at now, such as
// 20270104T090000.000000Z-9f86d081: readable, sorted by time, fit for a URL, a
// file name and an AWS session name. The random end tells runs of the same
// microsecond apart, in different processes too.
func NewRunID(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return now.UTC().Format(runIDLayout) + "-" + hex.EncodeToString(random[:])
}
