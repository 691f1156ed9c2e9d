package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// inventory counts resources by account, region, kind and state. A gauge for each of
// them would keep some 200 bytes: with a thousand accounts and regions, of which each
// has every kind in every state, more than all that is known of the resources.
// Here it is four, and what a scrape needs is made for the scrape.
type inventory struct {
	desc *prometheus.Desc

	mu      sync.Mutex
	columns []column
	index   map[column]int
	rows    map[[2]string][]int32 // by account and region; of each column, absent where it was never set
}

// column is a kind and a state.
type column struct{ kind, state string }

const absent int32 = -1

func newInventory() *inventory {
	return &inventory{
		desc: prometheus.NewDesc("dayshift_resources", "Scheduled resources seen by the last pass over their scope, by kind and state.",
			[]string{"account", "region", "kind", "state"}, nil),
		index: map[column]int{}, rows: map[[2]string][]int32{},
	}
}

func (v *inventory) set(account, region, kind, state string, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	what := column{kind, state}
	at, known := v.index[what]
	if !known {
		at = len(v.columns)
		v.columns = append(v.columns, what)
		v.index[what] = at
	}
	row := v.rows[[2]string{account, region}]
	for len(row) <= at {
		row = append(row, absent)
	}
	row[at] = int32(n)
	v.rows[[2]string{account, region}] = row
}

func (v *inventory) forget(account, region string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.rows, [2]string{account, region})
}

// Describe implements prometheus.Collector.
func (v *inventory) Describe(descs chan<- *prometheus.Desc) { descs <- v.desc }

// Collect implements prometheus.Collector.
func (v *inventory) Collect(metrics chan<- prometheus.Metric) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for scope, row := range v.rows {
		for at, n := range row {
			if n != absent {
				metrics <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, float64(n), scope[0], scope[1], v.columns[at].kind, v.columns[at].state)
			}
		}
	}
}
