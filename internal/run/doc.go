// Package run is the program that carries runs of workloads out.
//
// What a run is and what it asks for next is internal/workload's, which is
// pure; here is who asks it, observes for it, carries out what it asks for and
// keeps where it stands. One Driver carries all runs of a store, in rounds:
//
//  1. What became known since the last round moves the runs that wait for it (workload.Advance).
//  2. The runs that moved are saved in one write, with the rows that tell of it. From then on an effect that they ask
//     for is as good as begun.
//  3. The effects are carried out and what is to be observed is looked at, beside the rounds, all runs together: one
//     listing of a scope answers everybody who asks for it, one plan has the starts and stops of all, so that calls
//     are shared and the provider's rate limits are used once.
//
// A scope, a member or a hook that hangs holds back its own run and no other:
// a round never waits for the outside.
//
// # Exactly once
//
// Everything about a run is in its record, which only whoever holds the lease
// writes. Who takes a run over, after kill -9 or on another node, finds the
// effects whose outcome nobody saw. Starts, stops and changes of types are looked
// at before they are asked for again; moving a member in or out of a load
// balancer and sending a command with its token are simply done again, because
// that changes nothing; of a webhook and a function nobody can find out, so
// they count as unanswered.
//
// # When a run begins
//
// A workload's schedule and the overrides on it are a level, decided by the same rules as
// those of a resource (internal/decide): the workload stands in for the resource, its last run for
// the state. A rule that names a workload and a person who asks for a run are edges: they
// begin a run and leave the memory of the schedule as it is. What people ask lies in the store as an
// object each (Request), is taken once, and goes with it.
package run
