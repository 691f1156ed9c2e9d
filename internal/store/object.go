package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"dayshift/internal/say"
)

// The bounds of an object.
const (
	// MaxSpec is the size of a compacted Spec. The largest is the copy of a
	// calendar: 1 MiB of text, to which JSON adds an escape for every line.
	MaxSpec = 2 << 20
	// MaxName is the length of a name in bytes: room for a calendar's address,
	// and an index entry that stays within a page.
	MaxName = 1024
)

// CleanObject returns the object as it is to be stored, Version and Created
// aside: a copy with Instant and Text applied and its Spec compacted. An object
// without a kind, a name or a time of its change is refused, as is a Spec that is
// no JSON or too large.
func CleanObject(object Object) (Object, error) {
	kind, name, err := ObjectKey(object.Kind, object.Name)
	if err != nil {
		return Object{}, err
	}
	if object.Changed.IsZero() {
		return Object{}, fmt.Errorf("%s %q: an object needs the time of its change", kind, name)
	}
	changed := Instant(object.Changed)
	if err := checkInstant(changed); err != nil {
		return Object{}, fmt.Errorf("%s %q: %w", kind, name, err)
	}
	spec, err := cleanJSON(object.Spec)
	if err != nil {
		return Object{}, say.Err("%s %q: its spec is not valid JSON: %w", kind, name, err)
	}
	if len(spec) > MaxSpec {
		return Object{}, say.Err("%s %q: its spec is %d bytes of JSON, at most %d are kept; make it smaller or split it", kind, name, len(spec), MaxSpec)
	}
	return Object{
		Kind: kind, Name: name, Version: object.Version, Spec: spec,
		Author: Text(object.Author), Created: object.Created, Changed: changed,
	}, nil
}

// ObjectKey returns kind and name as they are stored and found by, or says why
// there can be no such object.
func ObjectKey(kind ObjectKind, name string) (ObjectKind, string, error) {
	return cleanKey("an object", kind, name)
}

// cleanKey returns the kind and the name of a thing as they are stored and found by.
func cleanKey[K ~string](thing string, kind K, name string) (K, string, error) {
	kind, name = Text(kind), Text(name)
	switch {
	case kind == "":
		return "", "", say.Err("%.100q: %s needs a kind", name, say.Word(thing))
	case name == "":
		return "", "", say.Err("%.100s: %s needs a name", kind, say.Word(thing))
	case len(name) > MaxName || len(kind) > MaxName:
		return "", "", say.Err("%.100s %.100q…: kind and name are %d and %d bytes long, at most %d are allowed", kind, name, len(kind), len(name), MaxName)
	}
	return kind, name, nil
}

// cleanJSON compacts a document and applies Text to it. What replaces a byte
// stands only inside texts, so that the document stays one.
func cleanJSON(document []byte) (json.RawMessage, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return nil, err
	}
	return json.RawMessage(Text(compact.String())), nil
}

// Revise decides what SaveObject stores, for every engine alike, in the same
// transaction in which held was read. held is the object as stored: the zero
// Object when there never was one, and without a Spec when it was deleted. What
// is deleted keeps its version, so that an object made anew under its name is
// not taken for it by whoever knew the first.
func Revise(held, object Object) (Object, error) {
	there := held.Spec != nil
	switch {
	case object.Version == 0 && there:
		return Object{}, say.Err("%s %q exists already, in version %d by %s of %s: %w",
			say.Word(held.Kind), held.Name, held.Version, author(held), held.Changed.Format(time.RFC3339), ErrConflict)
	case object.Version != 0 && !there:
		return Object{}, say.Err("%s %q is not there in version %d, it was deleted or never made: %w",
			say.Word(object.Kind), object.Name, object.Version, ErrConflict)
	case object.Version != 0 && object.Version != held.Version:
		return Object{}, stale(held, object.Version)
	}
	object.Version = held.Version + 1
	object.Created = held.Created
	if !there {
		object.Created = object.Changed
	}
	return object, nil
}

// Retire decides what DeleteObject answers: nil when the version may be
// deleted. held is as for Revise.
func Retire(held Object, kind ObjectKind, name string, version int64) error {
	switch {
	case held.Spec == nil:
		return fmt.Errorf("%s %q: %w", kind, name, ErrNotFound)
	case held.Version != version:
		return stale(held, version)
	}
	return nil
}

func stale(held Object, version int64) error {
	return say.Err("%s %q is in version %d, by %s of %s, not %d: %w",
		say.Word(held.Kind), held.Name, held.Version, author(held), held.Changed.Format(time.RFC3339), version, ErrConflict)
}

func author(object Object) say.Text {
	if object.Author == "" {
		return say.F("somebody")
	}
	return say.Raw(object.Author)
}
