package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// waitLimit bounds every wait for another process to say or do something.
const waitLimit = 40 * time.Second

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	data strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// process is a dayshift that runs beside the test.
type process struct {
	cmd    *exec.Cmd
	output *output
	url    string
	ended  chan struct{} // closed when it has
	err    error         // how it ended
}

func startProcess(dir string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command("dayshift", args...), output: &output{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, p.output, p.output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start dayshift %s: %w", strings.Join(args, " "), err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// runProcess runs dayshift to its end and returns all that it wrote.
func runProcess(dir string, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*waitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "dayshift", args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// waitFor waits until the process has written what matches.
func (p *process) waitFor(pattern *regexp.Regexp) ([]string, error) {
	deadline := time.Now().Add(waitLimit)
	for {
		if found := pattern.FindStringSubmatch(p.output.text()); found != nil {
			return found, nil
		}
		select {
		case <-p.ended:
			return nil, fmt.Errorf("%s ended (%w) before it wrote %q:\n%s", p.cmd, p.err, pattern, p.output.text())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s wrote no %q within %s:\n%s", p.cmd, pattern, waitLimit, p.output.text())
		}
	}
}

// kill ends the process if it still runs.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// end sends a signal and returns the exit code, or "killed".
func (p *process) end(s syscall.Signal) (string, error) {
	if err := p.signal(s); err != nil {
		return "", fmt.Errorf("send %s to %s: %w\n%s", s, p.cmd, err, p.output.text())
	}
	select {
	case <-p.ended:
	case <-time.After(waitLimit):
		return "", fmt.Errorf("%s still runs %s after %s:\n%s", p.cmd, waitLimit, s, p.output.text())
	}
	state := p.cmd.ProcessState
	if state.ExitCode() < 0 {
		return "killed", nil
	}
	return fmt.Sprint(state.ExitCode()), nil
}

// client gives up on a server that does not answer.
var client = &http.Client{Timeout: 20 * time.Second}

// fetch returns the body of a request that has to succeed.
func fetch(method, url, body string) (string, error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	status, text, err := send(request)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: status %d: %s", method, url, status, text)
	}
	return text, err
}

// fetchAny returns the status and the body of a page, whatever it says.
func fetchAny(url string) (string, error) { return fetchWith("", url) }

// fetchWith is fetchAny with an API key; empty: without.
func fetchWith(key, url string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	status, text, err := send(request)
	return fmt.Sprintf("%d\n%s", status, text), err
}

func send(request *http.Request) (int, string, error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}
