package httpapi

import (
	"context"
	"net/http"

	"dayshift/internal/service"
	"dayshift/internal/store"
)

func (s *Surface) holidays() {
	op(s, toRead, operation{
		id: "getHolidayYear", method: http.MethodGet, path: "/holidays/{name}/dates", tag: "Dates", summary: "List the dates of a holiday calendar in a year",
		doc: "With those that come from a file, an address or a built-in calendar.",
	}, func(ctx context.Context, in *struct {
		ObjectPath

		Year int `query:"year" minimum:"0" maximum:"9999" example:"2027" doc:"The year; absent: this one."`
	},
	) (*answer[service.HolidayYear], error) {
		if err := s.visibleObject(ctx, store.HolidayObject, in.Name); err != nil {
			return nil, err
		}
		body, err := s.program.Service().Holidays(in.Name, in.Year)
		return &answer[service.HolidayYear]{body}, err
	})
}
