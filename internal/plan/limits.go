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
}
