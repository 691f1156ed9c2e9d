// Package metrics is what Dayshift counts about itself, in Prometheus's form.
// One Set belongs to one process; the parts of the program report to it and
// nothing decides by it. Label values are bounded: states, verbs, reasons,
// operations, accounts and regions of the configuration, never resource names.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Set is every metric of a process.
type Set struct {
	registry *prometheus.Registry

	passes       *prometheus.CounterVec
	passSeconds  prometheus.Histogram
	lateness     prometheus.Histogram
	decisions    *prometheus.CounterVec
	actions      *prometheus.CounterVec
	calls        *prometheus.CounterVec
	throttles    *prometheus.CounterVec
	gaps         *prometheus.GaugeVec
	quarantined  *prometheus.GaugeVec
	resources    *inventory
	held         prometheus.Gauge
	leader       prometheus.Gauge
	reloads      *prometheus.CounterVec
	events       *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	notified     *prometheus.CounterVec
	backlogs     *backlogs
	heartbeats   *prometheus.CounterVec
	eventQueue   prometheus.Gauge
	newestEvent  prometheus.Gauge
	configLoaded prometheus.Gauge
}

// New returns a set with the Go runtime's and the process's own metrics in it.
func New() *Set {
	s := &Set{
		registry:     prometheus.NewRegistry(),
		passes:       counter("dayshift_passes_total", "Passes finished, by what started them and how they ended (done, partial, failed).", "trigger", "result"),
		decisions:    counter("dayshift_decisions_total", "Decisions made, by reason.", "reason"),
		actions:      counter("dayshift_actions_total", "Actions carried out, by verb and outcome.", "verb", "outcome"),
		calls:        counter("dayshift_aws_calls_total", "Calls sent to AWS, by account, region and operation.", "account", "region", "operation"),
		throttles:    counter("dayshift_aws_throttles_total", "Calls that AWS refused as too many, by account, region and operation.", "account", "region", "operation"),
		reloads:      counter("dayshift_config_reloads_total", "Reloads of the configuration, by result (done, refused).", "result"),
		events:       counter("dayshift_events_total", "Messages from the queue of events, by what became of them: heard (the scope is looked at), echo (Dayshift itself did that), duplicate, foreign (a scope that is not looked after), unknown (tells nothing), malformed.", "result"),
		refusals:     counter("dayshift_refusals_total", "Requests that were refused for who made them, by reason (unknown, expired, revoked, rate, quota, guessing, forbidden, sign-in, chat).", "reason"),
		notified:     counter("dayshift_notifications_total", "Messages to the channels of the configuration, by what became of them: sent, retried (not taken, sent again), merged (put together with one that waits), lost (given up).", "channel", "result"),
		heartbeats:   counter("dayshift_heartbeats_total", "Signs of life to the monitor of the configuration, by what became of them: sent, failed (the monitor did not take it), withheld (the scheduler does not turn, or the store cannot be written to).", "result"),
		eventQueue:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "dayshift_event_queue_up", Help: "1 while the queue of events can be read; 0 also where none is configured, or another process holds the lease."}),
		newestEvent:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "dayshift_newest_event_timestamp_seconds", Help: "When the newest event that was read came to be, by its own words; its age is time() minus this."}),
		gaps:         gauge("dayshift_gaps", "1 for each scope that the last pass over it could not see whole.", "account", "region"),
		quarantined:  gauge("dayshift_scope_quarantined", "1 for each scope that failed so often in a row that it is asked at growing gaps alone.", "account", "region", "reason"),
		resources:    newInventory(),
		backlogs:     newBacklogs(),
		held:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "dayshift_stops_held", Help: "Stops that the last pass held back because of a limit."}),
		leader:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "dayshift_leader", Help: "1 while this process holds the lease and acts."}),
		configLoaded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dayshift_config_loaded_timestamp_seconds", Help: "When the running configuration was loaded."}),
		passSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dayshift_pass_seconds", Help: "How long passes took, paced actions included.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800},
		}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dayshift_lateness_seconds", Help: "From a schedule's boundary to the start of the pass that acts on it.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 5, 30, 300},
		}),
	}
	s.registry.MustRegister(s.passes, s.passSeconds, s.lateness, s.decisions, s.actions, s.calls, s.throttles, s.gaps, s.quarantined,
		s.resources, s.held, s.leader, s.reloads, s.configLoaded, s.events, s.refusals, s.notified, s.backlogs, s.heartbeats, s.eventQueue, s.newestEvent,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// Handler serves the metrics.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry})
}

// Pass counts a finished pass.
func (s *Set) Pass(trigger, result string, took time.Duration) {
	s.passes.WithLabelValues(trigger, result).Inc()
	s.passSeconds.Observe(took.Seconds())
}

// Late observes how long after its boundary a pass began.
func (s *Set) Late(by time.Duration) { s.lateness.Observe(by.Seconds()) }

// Decisions counts decisions of one reason.
func (s *Set) Decisions(reason string, n int) {
	s.decisions.WithLabelValues(reason).Add(float64(n))
}

// Action counts one outcome.
func (s *Set) Action(verb, outcome string) { s.actions.WithLabelValues(verb, outcome).Inc() }

// Call counts one call to AWS.
func (s *Set) Call(account, region, operation string, throttled bool) {
	s.calls.WithLabelValues(account, region, operation).Inc()
	if throttled {
		s.throttles.WithLabelValues(account, region, operation).Inc()
	}
}

// Gap says whether the scope was seen whole.
func (s *Set) Gap(account, region string, gap bool) {
	if gap {
		s.gaps.WithLabelValues(account, region).Set(1)
	} else {
		s.gaps.DeleteLabelValues(account, region)
	}
}

// Quarantined says why a scope is in quarantine; empty: it is not.
func (s *Set) Quarantined(account, region, reason string) {
	s.quarantined.DeletePartialMatch(prometheus.Labels{"account": account, "region": region})
	if reason != "" {
		s.quarantined.WithLabelValues(account, region, reason).Set(1)
	}
}

// Forget drops what is said of a scope: it is looked after no more, or otherwise from the next pass on.
func (s *Set) Forget(account, region string) {
	scope := prometheus.Labels{"account": account, "region": region}
	s.gaps.DeletePartialMatch(scope)
	s.quarantined.DeletePartialMatch(scope)
	s.resources.forget(account, region)
}

// Resources says how many resources of a kind are in a state; the caller sets
// every state of a kind, zero included.
func (s *Set) Resources(account, region, kind, state string, n int) {
	s.resources.set(account, region, kind, state, n)
}

// Held says how many stops a limit holds back.
func (s *Set) Held(n int) { s.held.Set(float64(n)) }

// Leader says whether this process holds the lease.
func (s *Set) Leader(holds bool) {
	if holds {
		s.leader.Set(1)
	} else {
		s.leader.Set(0)
	}
}

// Event counts a message from the queue of events.
func (s *Set) Event(result string) { s.events.WithLabelValues(result).Inc() }

// Refused counts a request that was refused for who made it.
func (s *Set) Refused(reason string) { s.refusals.WithLabelValues(reason).Inc() }

// Notification counts what became of a message to a channel.
func (s *Set) Notification(channel, result string) {
	s.notified.WithLabelValues(channel, result).Inc()
}

// Backlogs has what each channel has not got asked for when it is looked at.
func (s *Set) Backlogs(of func() map[string]Backlog) { s.backlogs.of.Store(&of) }

// Heartbeat counts what became of a sign of life.
func (s *Set) Heartbeat(result string) { s.heartbeats.WithLabelValues(result).Inc() }

// NewestEvent says when the newest event came to be.
func (s *Set) NewestEvent(at time.Time) { s.newestEvent.Set(float64(at.Unix())) }

// EventQueue says whether the queue of events can be read.
func (s *Set) EventQueue(up bool) {
	if up {
		s.eventQueue.Set(1)
	} else {
		s.eventQueue.Set(0)
	}
}

// Reload counts a reload; at is when a good one took effect.
func (s *Set) Reload(done bool, at time.Time) {
	if !done {
		s.reloads.WithLabelValues("refused").Inc()
		return
	}
	s.reloads.WithLabelValues("done").Inc()
	s.configLoaded.Set(float64(at.Unix()))
}
