package pass

import (
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dayshift/internal/fleet"
)

// Whatever a listing says of a resource is part of how it looks, but for when it was asked.
func TestEveryFieldOfAResourceIsPartOfItsLooks(t *testing.T) {
	plain := fleet.Resource{Ref: fleet.Ref{Kind: fleet.EC2Instance, ID: "i-1"}, Tags: map[string]string{"a": "b", "c": "d"}}
	before := markOf(&plain)
	fields := reflect.TypeFor[fleet.Resource]()
	for i := range fields.NumField() {
		field := fields.Field(i)
		changed := plain
		changed.Tags = map[string]string{"c": "d", "a": "b"}
		v := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Name {
		case "Ref": // a scope has its marks for itself, the rest of it names the resource
			changed.ID = "i-2"
			if markOf(&changed).id == before.id {
				t.Error("two resources have one name")
			}
			continue
		case "Health", "HealthReason": // asked for while a start is under way, and nothing is at rest then
			continue
		case "Endpoint": // nothing is decided by it, and who connects asks for it anew
			continue
		case "Print": // how it is said, not what
			continue
		case "SeenAt":
			changed.SeenAt = time.Unix(1, 0)
			if markOf(&changed) != before {
				t.Error("a resource looks different at every look")
			}
			continue
		case "Tags":
			changed.Tags = map[string]string{"a": "d", "c": "b"}
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString("x")
			case reflect.Bool:
				v.SetBool(true)
			case reflect.Int:
				v.SetInt(7)
			case reflect.Struct:
				v.Set(reflect.ValueOf(time.Unix(7, 0)))
			default:
				t.Fatalf("%s: a %s, of which this test knows nothing", field.Name, v.Kind())
			}
		}
		after := markOf(&changed)
		if after.id != before.id || after.looks == before.looks {
			t.Errorf("%s does not count", field.Name)
		}
	}
	if again := markOf(&plain); again != before {
		t.Error("the same resource looks different")
	}
}

// Marks are what a map of them would be, wherever in the range of hashes they lie.
func TestMarksAreFoundWhereTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 40), rapid.Uint64Range(math.MaxUint64-40, math.MaxUint64), rapid.Uint64Range(1<<63, 1<<63+300))
		want := map[uint64]looks{}
		var all marks
		for _, one := range rapid.SliceOfDistinct(id, rapid.ID[uint64]).Draw(t, "known") {
			want[one] = looks(one | 1)
			all = append(all, mark{one, looks(one | 1)})
		}
		all = all.order()
		changed := rapid.MapOf(id, rapid.Just(looks(4))).Draw(t, "changed")
		all = all.with(changed)
		maps.Copy(want, changed)
		if len(all) != len(want) {
			t.Fatalf("%d marks, want %d", len(all), len(want))
		}
		for one, seen := range want {
			if got := all.looks(one); got != seen {
				t.Fatalf("looks of %d: %d, want %d", one, got, seen)
			}
		}
		other := id.Draw(t, "other")
		if got := all.looks(other); got != want[other] {
			t.Fatalf("looks of %d: %d, want %d", other, got, want[other])
		}
	})
}
