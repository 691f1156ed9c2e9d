package plan

// Limits guard against harm: a mistaken tag, schedule or clock must not take a
// fleet down in one pass.
type Limits struct {
	// MaxStops: a pass that would stop more resources than this holds all its
	// stops back until somebody confirms. 0: no limit.
	MaxStops int
	// MaxStopPercent: a scope in which more than this share (1-100) of the
	// running scheduled resources would be stopped holds its stops back until
	// somebody confirms. 0: no limit.
	MaxStopPercent float64
	// MinScopeSize: the percentage is not applied to scopes with fewer running
	// scheduled resources than this: one of one is 100 percent.
	MinScopeSize int
	// Surge: after a change of the configuration, a pass that would stop more
	// than this many times what was stopped in the day before holds those stops
	// back until somebody confirms; likewise the actions of a rule whose filter
	// matches this many times what it matched last. 0: no limit.
	Surge float64
	// SurgeFrom: fewer stops or matches than this are no surge.
	SurgeFrom int
}
