// Package workload is the heart of workloads: tiers of resources that start and
// stop in an order. It is pure: what it is told goes in, what is to be done comes
// out.
//
// # The model
//
// A Workload has tiers, each with a filter over resources of any kinds. Check says
// what is wrong with it, Order in which order its tiers go, Select who the members
// of a tier are.
//
// # The run
//
// A Run is a value. Begin makes one, and
//
//	Advance(run, world, now) (Run, Next)
//
// moves it: the World is what was observed, Next what is to be done (Effects) and
// to be observed (Look), and when to come back at the latest. Who carries runs
// out does, over and over:
//
//  1. Advance, with what became known since.
//  2. Save the run it gives. Only then
//  3. carry out the new effects, observe what Look asks for.
//
// Advance promises that the same world asks for nothing new; that a run which is
// neither over nor held has a pending effect, something to observe or a time to
// wake; that an ID never stands for two different effects; and that a run written
// and read again at any point goes on the same. An effect that was saved and has no
// result is carried out, or found out about, by whoever takes the run over; where that
// can not be found out, its outcome is Lost. It expects that every effect gets a
// Result in the end, and that what Look asks for is observed when it can be: what can
// not be observed is left out of the world, never guessed.
//
// Resume, Cancel and TakeBack are what people decide about a run. Overlapping says
// what becomes of a second run of a workload, Remember what a run leaves for the
// next, Forecast when it is expected to end.
//
// # A start
//
// A tier begins when the tiers that it needs are ready. Its members are listed
// then, not when the run began; a scope that can not be listed is waited for. A tier
// that matches nothing is not ready, so it fails. Hooks; then each member, all at once or as many as at_once
// and synchronous allow: one that starts, stops or changes is waited for, a stopped
// one gets the type of the profile and is started, a running one is left as it is.
// Then its gates, then it is put back into the load balancers it was taken out of,
// by this run or the stop before, and has to be healthy there. Then hooks and the delay.
//
// # A stop
//
// Hooks; then the vetoes of all members at once, each bounded. A member that somebody keeps is not
// stopped, the rest of its tier is. The others are drained, stopped, and have to be stopped. Then hooks and the delay.
//
// What stays keeps what it needs: when a member is kept by a veto, or a person's override wants it running, then the tiers that
// its tier needs to start, and those that stop after it, are not stopped: a web server
// that stays needs its database. The run goes on with all other tiers, and ends as done with
// exceptions. A member that was flagged for bypass, is protected or can not be stopped
// singly takes no part, and keeps nothing: whoever flagged it chose it alone.
//
// # Failure
//
// A member fails when its call is refused for good, when it falls back, when a gate
// does not pass in time, or at the tier's timeout. The others of its tier that are on their way go on.
// Then the tier has failed, and no tier that comes after it begins. OnFailure decides: continue
// goes on as if it had not failed, hold waits for a person, undo takes back what the run
// did, in the opposite order, without vetoes and delays.
//
// Whatever happens, a member that goes on running is put back into the load balancers
// that it was taken out of before the run ends. Where that is refused for as long as
// PutBackLimit, it ends as WhyLeftOut and is remembered: the next run puts it back first.
package workload
