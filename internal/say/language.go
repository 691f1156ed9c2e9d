package say

import (
	_ "embed" // the catalogs
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Language is one that Dayshift speaks, by its BCP 47 tag.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh-CN"
	Korean  Language = "ko"
)

// Languages are all of them, the one of the source first.
var Languages = []Language{English, Chinese, Korean}

//go:embed zh-CN.json
var chinese []byte

//go:embed ko.json
var korean []byte

// catalogs are read when somebody asks for their language first: most programs never do.
var catalogs = map[Language]func() map[string]string{
	Chinese: sync.OnceValue(func() map[string]string { return read(Chinese, chinese) }),
	Korean:  sync.OnceValue(func() map[string]string { return read(Korean, korean) }),
}

// read reads a catalog. It is part of the program, so that a fault in it is one of the program.
func read(l Language, file []byte) map[string]string {
	var catalog map[string]string
	if err := json.Unmarshal(file, &catalog); err != nil {
		panic(fmt.Sprintf("say: the catalog of %s: %v", l, err))
	}
	return catalog
}

// format is an English format in the language; as it is where the catalog does not have it.
func (l Language) format(english string) string {
	if l == English {
		return english
	}
	if catalog := catalogs[l]; catalog != nil {
		if found, ok := catalog()[english]; ok {
			return found
		}
	}
	return english
}

// Best is the language that a reader wants most by an Accept-Language (RFC 9110,
// 12.5.4) among those that Dayshift speaks: the one with the greatest weight, of
// equal ones the first. Any zh is Chinese. English where nothing fits.
func Best(accept string) Language {
	best, most := English, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		tag, parameters, _ := strings.Cut(part, ";")
		language, known := byTag(strings.TrimSpace(tag))
		if weight := weightOf(parameters); known && weight > most {
			best, most = language, weight
		}
	}
	return best
}

// byTag is the language of a range: zh-Hans-SG is Chinese, * the first there is.
func byTag(tag string) (Language, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	switch primary {
	case "en", "*":
		return English, true
	case "zh":
		return Chinese, true
	case "ko":
		return Korean, true
	}
	return "", false
}

// weightOf reads q=0.8; 1 where there is none, 0 where it cannot be read.
func weightOf(parameters string) float64 {
	name, value, given := strings.Cut(strings.TrimSpace(parameters), "=")
	if !given || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || weight < 0 || weight > 1 {
		return 0
	}
	return weight
}
