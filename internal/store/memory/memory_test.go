package memory

import (
	"slices"
	"testing"

	"dayshift/internal/store"
	"dayshift/internal/store/storetest"
)

func TestEngine(t *testing.T) {
	storetest.Exercise(t, func(*testing.T) store.Store { return New() }, storetest.Hooks{
		Tamper: func(_ *testing.T, s store.Store, edit func([]store.Activity) []store.Activity) {
			engine := s.(*Store)
			engine.activity = edit(slices.Clone(engine.activity))
		},
	})
}
