package holiday

import (
	"embed"
	"fmt"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"
)

// Builtin is a calendar that comes with the program.
type Builtin struct {
	// Source names what the dates were taken from.
	Source string `yaml:"source"`
	// Years are those that the calendar covers, whole.
	Years []int `yaml:"years"`
	// Days are the days off, MakeUp the make-up working days, both in order.
	Days   []Dated `yaml:"days"`
	MakeUp []Dated `yaml:"make_up"`
}

// Dated is a date with its name.
type Dated struct {
	Date string `yaml:"date"` // YYYY-MM-DD
	Name string `yaml:"name"`
}

// Codes are the built-in calendars: mainland China, South Korea, the federal holidays of the United States.
var Codes = []string{"cn", "kr", "us"}

//go:embed data/*.yaml
var files embed.FS

// Load gives a built-in calendar, false for a code that is none.
func Load(code string) (Builtin, bool) {
	i := slices.Index(Codes, code)
	if i < 0 {
		return Builtin{}, false
	}
	return builtins()[i], true
}

// builtins reads the data once. A fault in them is a fault of the program: every test that loads one finds it.
var builtins = sync.OnceValue(func() []Builtin {
	list := make([]Builtin, len(Codes))
	for i, code := range Codes {
		data, err := files.ReadFile("data/" + code + ".yaml")
		if err == nil {
			err = yaml.UnmarshalWithOptions(data, &list[i], yaml.Strict())
		}
		if err != nil {
			panic(fmt.Sprintf("holiday: read the built-in calendar %s: %v", code, err))
		}
	}
	return list
})
