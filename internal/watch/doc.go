// Package watch is the dead man's switch: what Dayshift tells a monitor while it
// is alive, and the monitor that speaks when it is not.
//
// A Beat says that the process which holds the lease makes its rounds and can
// write to its store. A process that stands by gives none: where two share a
// store, the beats of the one that acts are those of both, and they stop when
// neither acts. A stopped, hanging or cut-off process needs no words of its own,
// its beats stay away.
//
// A Watch runs elsewhere and takes the beats. It tells when there has been none
// for a while, again while that lasts, and when they are back; it is silent
// otherwise. While it could not listen itself, nothing is held against anybody:
// a watch that was started, paused or whose clock was set waits its whole time
// again. What it cannot see: whether what Dayshift does is right, and its own end.
package watch
