// Package config reads the configuration: load, fill in defaults, validate,
// and say where each value came from.
//
// It guarantees that a configuration is taken whole or refused whole. A
// refusal is a Faults: every fault that could be found, each with line,
// column, what was written, what is allowed and what to do. What it returns
// is ready for use: schedules are compiled, filters parsed, secrets looked
// up, every default filled in.
//
// It expects a file that a person wrote, at most a few megabytes, and never
// panics or hangs on anything else: size, nesting and number of entries are
// bounded before the YAML parser sees the text.
//
// Objects of a store join the file: schedules, periods, exceptions, holiday
// calendars and rules. Each is read by the decoder of the file, at the path that
// it would have there. The file stands alone and comes first; an object with a
// fault is set aside with what needs it and reaches nothing else.
//
// Config is the one description of the file. Its field comments, tags and the
// table of keys that this version does not know yet are the source of the
// decoder, of docs/configuration.md, of docs/dayshift.schema.json and of
// fields_gen.go; the last three are made by TestGenerated, which fails when
// they are out of date.
package config

//go:generate go test -run TestGenerated -update .
