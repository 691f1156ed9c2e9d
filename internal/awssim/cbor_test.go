package awssim

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Values from appendix A of RFC 8949, as members of a map.
func TestCBORIsReadAsTheRFCHasIt(t *testing.T) {
	for _, test := range []struct{ hex, want string }{
		{"00", "0"},
		{"17", "23"},
		{"1818", "24"},
		{"1903e8", "1000"},
		{"1a000f4240", "1000000"},
		{"1bffffffffffffffff", "18446744073709551615"},
		{"20", "-1"},
		{"3863", "-100"},
		{"3903e7", "-1000"},
		{"f93c00", "1"},
		{"f93e00", "1.5"},
		{"f97bff", "65504"},
		{"f90400", "0.00006103515625"},
		{"f9c400", "-4"},
		{"fa47c35000", "100000"},
		{"fb3ff199999999999a", "1.1"},
		{"fbc010666666666666", "-4.1"},
		{"f4", "false"},
		{"f5", "true"},
		{"f6", "null"},
		{"f7", "null"},
		{"60", `""`},
		{"6449455446", `"IETF"`},
		{"62c3bc", `"ü"`},
		{"7f657374726561646d696e67ff", `"streaming"`},
		{"80", "[]"},
		{"83010203", "[1,2,3]"},
		{"9fff", "[]"},
		{"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
		{"a0", "{}"},
		{"a26161016162820203", `{"a":1,"b":[2,3]}`},
		{"bf61610161629f0203ffff", `{"a":1,"b":[2,3]}`},
		{"c11a514b67b0", "1363896240"},
		// Refused: infinity, not a number, bytes, a break alone, what is cut off, a number as key, a key twice, what follows, not UTF-8, unknown words.
		{"f97c00", ""},
		{"f97e00", ""},
		{"4401020304", ""},
		{"ff", ""},
		{"1903", ""},
		{"83010", ""},
		{"8301", ""},
		{"7f6161", ""},
		{"a10102", ""},
		{"a2616101616102", ""},
		{"0000", ""},
		{"61ff", ""},
		{"f8ff", ""},
		{"1c", ""},
		{"7f7f6161ffff", ""},
		{strings.Repeat("81", 100) + "00", ""},
		{"9bffffffffffffffff", ""},
	} {
		raw, _ := hex.DecodeString(test.hex)
		r := cborReader{data: raw}
		got, err := r.value(1)
		if err == nil && len(r.data) > 0 {
			err = errCBOR
		}
		if test.want == "" {
			if err == nil {
				t.Errorf("%s is %v, want a refusal", test.hex, got)
			}
			continue
		}
		if text, _ := json.Marshal(got); err != nil || string(text) != test.want {
			t.Errorf("%s is %s, want %s (%v)", test.hex, text, test.want, err)
		}
	}
}

// What is written in CBOR says the same as in JSON.
func TestAnAnswerSaysTheSameInCBORAndJSON(t *testing.T) {
	text := rapid.String()
	var document func(depth int) *rapid.Generator[doc]
	document = func(depth int) *rapid.Generator[doc] {
		return rapid.Custom(func(t *rapid.T) doc {
			d := doc{}
			for i, name := range rapid.SliceOfDistinct(rapid.StringMatching(`[A-Z][a-z]{0,5}`), rapid.ID[string]).Draw(t, "names") {
				kinds := 6
				if depth < 3 {
					kinds = 8
				}
				var value any
				switch (i + rapid.IntRange(0, kinds).Draw(t, "kind")) % kinds {
				case 0:
					value = text.Draw(t, "text")
				case 1:
					value = rapid.Bool().Draw(t, "flag")
				case 2:
					value = rapid.IntRange(0, math.MaxInt32).Draw(t, "count")
				case 3:
					value = rapid.Float64Range(-1e9, 1e9).Draw(t, "number")
				case 4:
					value = time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "instant")).UTC()
				case 5:
					value = rapid.SliceOf(text).Draw(t, "texts")
				case 6:
					value = document(depth+1).Draw(t, "document")
				case 7:
					value = rapid.SliceOfN(document(depth+1), 0, 3).Draw(t, "documents")
				}
				d = append(d, member{name, value})
			}
			return d
		})
	}
	// Numbers are told apart by their values, not by how they are written.
	var values func(v any) any
	values = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			f, _ := v.Float64()
			return f
		case []any:
			for i := range v {
				v[i] = values(v[i])
			}
		case map[string]any:
			for key := range v {
				v[key] = values(v[key])
			}
		}
		return v
	}
	rapid.Check(t, func(t *rapid.T) {
		d := document(0).Draw(t, "answer")
		plain, err := json.Marshal(d.plain())
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		r := cborReader{data: d.cbor(nil)}
		got, err := r.value(1)
		if err != nil || len(r.data) > 0 || !reflect.DeepEqual(values(got), want) {
			t.Fatalf("CBOR %v (%v)\nJSON %v", got, err, want)
		}
	})
}

// No bytes panic the reader or take it long.
func FuzzCBOR(f *testing.F) {
	for _, seed := range []string{"a0", "bf6141ff", "a1616183010203", "9f9f9f9f", "a161617f6161ff"} {
		raw, _ := hex.DecodeString(seed)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		promptly(t, body)
		form, err := flattenCBOR(body)
		if err != nil && len(form) > 0 {
			t.Fatalf("%v and %v", form, err)
		}
	})
}
