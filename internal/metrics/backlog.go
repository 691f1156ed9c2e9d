package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Backlog is what a channel has not got.
type Backlog struct {
	Waiting int           // messages that are to be sent
	Oldest  time.Duration // how long ago the first of them could have been sent
	GivenUp int           // messages that were given up and are kept
}

// backlogs asks for what channels have not got when it is scraped: how old a message is changes by itself.
type backlogs struct {
	waiting, oldest, givenUp *prometheus.Desc

	of atomic.Pointer[func() map[string]Backlog] // by channel; nil: there is nothing to ask
}

func newBacklogs() *backlogs {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"channel"}, nil)
	}
	return &backlogs{
		waiting: desc("dayshift_notifications_waiting", "Messages that are to be sent to a channel, those for the end of its quiet hours among them; a digest that grows is none."),
		oldest:  desc("dayshift_notifications_oldest_waiting_seconds", "How long ago the oldest message that waits for a channel could have been sent; 0: none could."),
		givenUp: desc("dayshift_notifications_given_up", "Messages to a channel that were given up and are kept, to be seen and sent again."),
	}
}

// Describe implements prometheus.Collector.
func (b *backlogs) Describe(descs chan<- *prometheus.Desc) {
	descs <- b.waiting
	descs <- b.oldest
	descs <- b.givenUp
}

// Collect implements prometheus.Collector.
func (b *backlogs) Collect(metrics chan<- prometheus.Metric) {
	of := b.of.Load()
	if of == nil {
		return
	}
	for channel, backlog := range (*of)() {
		metrics <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(backlog.Waiting), channel)
		metrics <- prometheus.MustNewConstMetric(b.oldest, prometheus.GaugeValue, backlog.Oldest.Seconds(), channel)
		metrics <- prometheus.MustNewConstMetric(b.givenUp, prometheus.GaugeValue, float64(backlog.GivenUp), channel)
	}
}
