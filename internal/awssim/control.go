package awssim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxControlBody bounds a fleet or a list of faults sent to the simulator.
const maxControlBody = 64 << 20

// control serves /_sim/; the package comment lists it.
func (c *Cloud) control(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /_sim/calls":
		after, err := int64Param(r, "after")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		enc := json.NewEncoder(w)
		for _, k := range c.CallsAfter(after) {
			if enc.Encode(k) != nil { // the client is gone
				return
			}
		}
	case "DELETE /_sim/calls":
		c.ResetCalls()
		w.WriteHeader(http.StatusNoContent)
	case "GET /_sim/stats":
		writeJSON(w, c.Stats())
	case "GET /_sim/fleet":
		out, err := c.Snapshot().Marshal()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(out)
	case "POST /_sim/fleet":
		f, err := ParseFleet(body)
		if err == nil {
			err = c.Load(f)
		}
		c.done(w, err)
	case "GET /_sim/faults":
		writeJSON(w, c.Faults())
	case "PUT /_sim/faults":
		f, err := ParseFaults(body)
		if err == nil {
			err = c.SetFaults(f)
		}
		c.done(w, err)
	case "DELETE /_sim/faults":
		c.done(w, c.SetFaults(nil))
	case "PUT /_sim/guest":
		var g Guest
		err := decodeStrict(body, &g)
		if err == nil {
			err = c.SetGuest(r.URL.Query().Get("instance"), g)
		}
		c.done(w, err)
	case "GET /_sim/capacity":
		writeJSON(w, c.Capacity())
	case "PUT /_sim/capacity":
		list, err := ParseCapacity(body)
		if err == nil {
			err = c.SetCapacity(list)
		}
		c.done(w, err)
	case "DELETE /_sim/capacity":
		c.done(w, c.SetCapacity(nil))
	case "GET /_sim/messages":
		w.Header().Set("Content-Type", "application/jsonl")
		enc := json.NewEncoder(w)
		for _, m := range c.Published() {
			if enc.Encode(m) != nil { // the client is gone
				return
			}
		}
	case "GET /_sim/events":
		w.Header().Set("Content-Type", "application/jsonl")
		enc := json.NewEncoder(w)
		for _, e := range c.PutEvents() {
			if enc.Encode(e) != nil { // the client is gone
				return
			}
		}
	case "GET /_sim/clock":
		c.writeClock(w)
	case "POST /_sim/clock":
		if err := c.setClock(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.writeClock(w)
	case "POST /_sim/sessions/expire":
		c.ExpireSessions()
		w.WriteHeader(http.StatusNoContent)
	case "POST /_sim/reset":
		c.Reset()
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, fmt.Sprintf("%s %s: the simulator has calls, stats, fleet, faults, guest, capacity, messages, events, clock, sessions/expire and reset under /_sim/", r.Method, r.URL.Path), http.StatusNotFound)
	}
}

func (c *Cloud) done(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// setClock applies ?advance= and ?speed=, both or neither.
func (c *Cloud) setClock(r *http.Request) error {
	q := r.URL.Query()
	var advance time.Duration
	var err error
	if v := q.Get("advance"); v != "" {
		if advance, err = parseDuration(v); err != nil {
			return fmt.Errorf("advance: %w", err)
		}
	}
	if v := q.Get("speed"); v != "" {
		speed, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return fmt.Errorf("speed: %q is not a number", v)
		}
		if err := c.SetSpeed(speed); err != nil {
			return err
		}
	}
	_, err = c.Advance(advance)
	return err
}

func (c *Cloud) writeClock(w http.ResponseWriter) {
	writeJSON(w, map[string]any{"now": c.Now(), "start": c.start, "speed": c.Speed()})
}

func int64Param(r *http.Request, name string) (int64, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a whole number", name, v)
	}
	return n, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
