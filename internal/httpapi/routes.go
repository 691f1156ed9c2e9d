package httpapi

import "net/http"

// register has every operation of the API.
func (s *Surface) register() {
	s.fleet()
	s.overrides()
	s.clearOverrides()
	s.objects()
	s.schedules()
	s.reservations()
	s.workloads()
	s.channels()
	s.activity()
	s.runs()
	s.events()
	s.people()
	s.configuration()
	s.holidays()
}

// routes has what is beside the API.
func (s *Surface) routes() {
	probes(s.mux, s.program, s.Metrics)
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(s.document) // the client has gone: nobody to tell
	})
	s.makeDocs()
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) { readable(w, "text/html; charset=utf-8", s.docs) })
	s.mux.HandleFunc("GET /docs/docs.css", func(w http.ResponseWriter, _ *http.Request) { readable(w, "text/css; charset=utf-8", docsStyle) })
	s.mux.HandleFunc("GET "+providerPath, s.provider)
	s.mux.HandleFunc("GET "+callbackPath, s.callback)
	s.mux.HandleFunc("/api/", s.unrouted)
	if s.Chats != nil {
		s.mux.HandleFunc("POST "+chatPath+"{name}", s.chat)
		s.mux.HandleFunc(chatPath, s.unrouted)
	}
	if s.Page != nil {
		s.mux.Handle("/", &files{root: s.Page})
	}
}

func readable(w http.ResponseWriter, kind string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", askAgain)
	w.Header().Set("Content-Security-Policy", docsPolicy)
	_, _ = w.Write(content) // the client has gone: nobody to tell
}
