package pass

import (
	"reflect"
	"testing"
	"time"

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
