package httpapi

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Total int    `json:"total" doc:"How many there are on all pages."`
	Next  string `json:"next" doc:"The cursor of the next page; empty on the last one."`
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"At most this many."`
	Cursor string `query:"cursor" maxLength:"4096" doc:"The next of the page before."`
}

// Sorting is what lists take that can be ordered.
type Sorting struct {
	Sort string `query:"sort" maxLength:"40" example:"-changed" doc:"The field to order by; with - before it from the last to the first."`
}

// by is one field that a list can be ordered by.
type by[T any] struct {
	field   string
	compare func(a, b T) int
}

// page cuts a page out of a list. The first of orders is the one that nobody has
// to ask for; id tells items apart, so that a page goes on where the one before
// ended although something was added or taken away meanwhile.
func page[T any](items []T, p Paging, sort string, id func(T) string, orders ...by[T]) (List[T], error) {
	items = slices.Clone(items)
	field, down := strings.CutPrefix(sort, "-")
	at := 0
	if field != "" {
		at = slices.IndexFunc(orders, func(o by[T]) bool { return o.field == field })
	}
	if at < 0 {
		var fields []string
		for _, o := range orders {
			fields = append(fields, o.field)
		}
		return List[T]{}, problem(invalid, "the list can not be ordered by %.40q; by %s it can", field, strings.Join(fields, ", "))
	}
	if len(orders) > 0 {
		slices.SortStableFunc(items, func(a, b T) int {
			order := orders[at].compare(a, b)
			if down {
				order = -order
			}
			return cmp.Or(order, strings.Compare(id(a), id(b)))
		})
	}
	from := 0
	if p.Cursor != "" {
		place, last, err := readCursor(p.Cursor)
		if err != nil {
			return List[T]{}, err
		}
		from = min(place, len(items))
		if found := slices.IndexFunc(items, func(item T) bool { return id(item) == last }); found >= 0 {
			from = found + 1
		}
	}
	to := min(len(items), from+max(1, p.Limit))
	answer := List[T]{Items: items[from:to], Total: len(items)}
	if to < len(items) {
		answer.Next = cursorOf(to, id(items[to-1]))
	}
	return answer, nil
}

// cursorOf says where a page ended: its place, and the item that was last.
func cursorOf(place int, last string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", place, last))
}

func readCursor(cursor string) (place int, last string, err error) {
	refused := problem(invalid, "the cursor %.40q is none of this list: take the next of the page before, as it is", cursor)
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", refused
	}
	number, last, found := strings.Cut(string(text), " ")
	if place, err = strconv.Atoi(number); err != nil || !found || place < 0 {
		return 0, "", refused
	}
	return place, last, nil
}
