package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dayshift/internal/app"
)

// A daemon with its page and its API, asked by many.

// surfaceSpec names the configuration of a daemon that is asked.
type surfaceSpec struct {
	File string
}

// surfaced is where it answers, and a key of somebody who may do everything.
type surfaced struct {
	Address string
	Key     string
}

// surfaceRole runs the daemon as `dayshift serve` does on a new store, and says where it answers.
func surfaceRole(ctx context.Context, data json.RawMessage, say func(any) error) (err error) {
	var spec surfaceSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	a, err := openApp(ctx, spec.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }() //nolint:contextcheck // channels have a time of their own to end
	address, key := make(chan string, 1), make(chan string, 1)
	daemon := app.Daemon{App: a, Listening: func(addr string) { address <- addr }, FirstKey: func(secret string) { key <- secret }}
	go func() {
		var s surfaced
		for s.Address == "" || s.Key == "" {
			select {
			case s.Address = <-address:
			case s.Key = <-key:
			case <-ctx.Done():
				return
			}
		}
		_ = say(s) // whoever does not listen is gone
	}()
	return serveUntilTold(ctx, &daemon)
}

// crowd asks a daemon for lists, so many times a second, whatever became of the questions before.
type crowd struct {
	shape
	perSecond int
	lasts     time.Duration
	paints    bool // a browser opens the page too
}

// question says how long the answers to one question took, in seconds.
type question struct {
	name string
	path string
	took sample
}

// answers is what the crowd met.
type answers struct {
	questions []*question
	first     time.Duration // until the first question was answered with the whole fleet: the daemon looks at it then
	resident  int64
	paint     string // first contentful paint of the overview, for people
}

func (c crowd) ask(ctx context.Context) (result answers, err error) {
	folder, err := os.MkdirTemp("", "dayshift-bench-")
	if err != nil {
		return result, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of the system's temporary files
	half := c.Each / 2
	sim, err := simulate(ctx, simSpec{Shape: c.shape, Parts: []partSpec{{half, "always", true}, {c.Each - half, "office", false}}})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, sim.end()) }()
	file := filepath.Join(folder, "dayshift.yaml")
	// Nothing has to be started or stopped while it is asked.
	schedules := "observe: true\nauth: {anonymous: read}\nresync_interval: 1h\n" + officeSchedules
	if err := os.WriteFile(file, []byte(configuration(c.shape, false, "sqlite:"+filepath.Join(folder, "dayshift.db"), schedules)), 0o600); err != nil {
		return result, err
	}
	daemon, err := spawn(ctx, "surface", surfaceSpec{File: file},
		"AWS_ENDPOINT_URL="+sim.url, "AWS_ACCESS_KEY_ID="+hub, "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true")
	if err != nil {
		return result, err
	}
	err = func() error {
		var where surfaced
		if err := daemon.hear(&where); err != nil {
			return err
		}
		u := user{client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, surfaced: where}
		defer u.client.CloseIdleConnections()
		// One that may ask faster than others.
		var made struct{ Secret string }
		if err := u.ask(ctx, http.MethodPost, "/keys", `{"label": "bench", "role": "viewer", "rate": {"per_second": 1000, "burst": 1000}}`, &made); err != nil {
			return err
		}
		u.Key = made.Secret
		example, err := c.whole(ctx, u, &result)
		if err != nil {
			return err
		}
		result.questions = questions(example)
		if err := c.storm(ctx, u, result.questions); err != nil {
			return err
		}
		result.paint = "not measured"
		if c.paints {
			if result.paint, err = paint(ctx, "http://"+where.Address); err != nil {
				return err
			}
		}
		result.resident, err = statusOf(daemon.cmd.Process.Pid, "VmRSS")
		return err
	}()
	return result, errors.Join(err, daemon.end())
}

// user asks with a key.
type user struct {
	client *http.Client
	surfaced
}

func (u user) get(ctx context.Context, path string, into any) error {
	return u.ask(ctx, http.MethodGet, path, "", into)
}

// ask sends a request with a JSON body, if there is one, and reads the answer, if anybody wants it.
func (u user) ask(ctx context.Context, method, path, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+u.Address+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+u.Key)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := u.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: status %d: %.300s", method, path, response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// page is a part of a list.
type page struct {
	Items []struct {
		Name string `json:"name"`
		ID   string `json:"id"`
	} `json:"items"`
	Total   int    `json:"total"`
	Next    string `json:"next"`
	Looking bool   `json:"looking"`
}

// whole waits until a list shows the whole fleet.
func (c crowd) whole(ctx context.Context, u user, result *answers) (example page, err error) {
	began := time.Now()
	for {
		if err := u.get(ctx, "/resources?limit=50", &example); err != nil {
			return example, err
		}
		if example.Total == c.resources() && !example.Looking {
			result.first = time.Since(began)
			return example, nil
		}
		if time.Since(began) > patience {
			return example, fmt.Errorf("the list shows %d of %d resources after %s", example.Total, c.resources(), patience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// questions are those of people who look for something in the fleet.
func questions(example page) []*question {
	some := example.Items[len(example.Items)/2]
	list := func(query url.Values) string { return "/resources?" + query.Encode() }
	return []*question{
		{name: "the first page", path: list(url.Values{"limit": {"50"}})},
		{name: "the next page", path: list(url.Values{"limit": {"50"}, "cursor": {example.Next}})},
		{name: "what is stopped, newest name first", path: list(url.Values{"state": {"stopped"}, "sort": {"-name"}})},
		{name: "a name", path: list(url.Values{"q": {some.Name}})},
		{name: "a part of an ID", path: list(url.Values{"q": {some.ID[len(some.ID)-5:]}})},
		{name: "one schedule, by region", path: list(url.Values{"schedule": {"office"}, "sort": {"region"}})},
		{name: "a filter", path: list(url.Values{"filter": {"tag:Schedule=office,region=" + regions[0]}})},
		{name: "the overview", path: "/overview"},
		{name: "the record", path: "/activity?limit=50"},
		{name: "the schedules", path: "/schedules"},
	}
}

// storm asks the questions in turn.
func (c crowd) storm(ctx context.Context, u user, questions []*question) error {
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(c.perSecond))
	defer tick.Stop()
	for n := range int(c.lasts.Seconds() * float64(c.perSecond)) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		q := questions[n%len(questions)]
		began := time.Now()
		all.Go(func() {
			err := u.get(ctx, q.path, nil)
			took := time.Since(began).Seconds()
			mu.Lock()
			defer mu.Unlock()
			q.took = append(q.took, took)
			if failed == nil {
				failed = err
			}
		})
	}
	all.Wait()
	return failed
}

// paint measures when a browser first shows something of the overview.
func paint(ctx context.Context, address string) (string, error) {
	root, err := productRoot(ctx)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("node"); err != nil {
		return "not measured: Node is not here", nil
	}
	if _, err := os.Stat(filepath.Join(root, "web", "node_modules", "playwright-core")); err != nil {
		return "not measured: the page was not built (`make web`)", nil
	}
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(limited, "node", filepath.Join(root, "web", "e2e", "paint.mjs"), address).Output() //nolint:gosec // a fixed command
	if err != nil {
		text := ""
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			text = string(exit.Stderr)
		}
		return "", fmt.Errorf("measure the first paint: %w: %s", err, text)
	}
	return strings.TrimSpace(string(out)), nil
}

func pageSection(ctx context.Context, l *lab) (string, error) {
	c := crowd{shape{100, 4, 250}, 100, 30 * time.Second, true}
	if l.small {
		c = crowd{shape{1, 2, 40}, 50, 400 * time.Millisecond, false}
	}
	result, err := c.ask(ctx)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, `The daemon as with `+"`dayshift serve`"+` over %d instances in %d accounts and regions (%s), asked over HTTP with a key %d times a second for %s, the questions in turn, whatever
became of those before; who asks and the simulated AWS are other processes on the same machine. The first question makes the daemon look at everything once: the whole fleet
was listed %s after it. Afterwards the daemon has %s of resident memory.

| question | asked | half within | 99 %% within | latest |
| --- | ---: | ---: | ---: | ---: |
`, c.resources(), c.scopes(), c.shape, c.perSecond, c.lasts, short(result.first.Seconds()), megabytes(float64(result.resident)))
	var all sample
	for _, question := range result.questions {
		all = append(all, question.took...)
		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s |\n", question.name, len(question.took), milli(question.took.quantile(0.5)), milli(question.took.quantile(0.99)), milli(question.took.max()))
	}
	fmt.Fprintf(&text, "| all of them | %d | %s | %s | %s |\n", len(all), milli(all.quantile(0.5)), milli(all.quantile(0.99)), milli(all.max()))
	fmt.Fprintf(&text, "\nFirst contentful paint of the overview in a new browser: %s.\n", result.paint)
	return text.String(), nil
}

func pageHow(*lab) string { return "one run in real time, about a minute" }
