package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"dayshift/internal/awssim"
)

// The product and the simulated AWS are measured as processes of their own, so
// that the one does not pay for the other. They are this program again, with a
// role in the environment, a specification on the first line of standard input
// and reports as lines of JSON on standard output. A child ends when its
// standard input does, and so with its parent.
const roleVariable = "DAYSHIFT_BENCH_ROLE"

// roles are what a child can be. It reports with say, any number of times.
var roles = map[string]func(ctx context.Context, spec json.RawMessage, say func(any) error) error{
	"sim":     simRole,
	"pass":    passRole,
	"sdk":     sdkRole,
	"daemon":  daemonRole,
	"surface": surfaceRole,
	"day":     dayRole,
}

// playRole plays the role of the environment and reports whether there was one.
func playRole() (played bool, code int) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return false, 0
	}
	err := func() error {
		role := roles[name]
		if role == nil {
			return fmt.Errorf("%s=%q: no such role", roleVariable, name)
		}
		in := bufio.NewReader(os.Stdin)
		spec, err := in.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("read the specification: %w", err)
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go func() {
			_, _ = io.Copy(io.Discard, in) // its end, whatever it is, means to stop
			stop()
		}()
		out := json.NewEncoder(os.Stdout)
		return role(ctx, spec, out.Encode)
	}()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", name, err)
		return true, 1
	}
	return true, 0
}

// child is a process that was started.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
	told  *bytes.Buffer // standard error
}

// spawn starts a child. env comes after this process's environment, of which nothing of AWS is kept.
func spawn(ctx context.Context, role string, spec any, env ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self), told: &bytes.Buffer{}} //nolint:gosec // this program itself
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") {
			c.cmd.Env = append(c.cmd.Env, variable)
		}
	}
	c.cmd.Env = append(append(c.cmd.Env, roleVariable+"="+role), env...)
	c.cmd.Stderr = c.told
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s as %s: %w", self, role, err)
	}
	line, err := json.Marshal(spec)
	if err == nil {
		_, err = c.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

// hear reads the next report.
func (c *child) hear(into any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("it ended without the report: %w", err), c.end())
	}
	return json.Unmarshal(line, into)
}

// end ends the child and waits for it.
func (c *child) end() error {
	_ = c.stdin.Close()               // also when it is closed already
	_, _ = io.Copy(io.Discard, c.out) // or it could not write the rest
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(c.told.String()))
	}
	return nil
}

// simSpec says what a simulated AWS holds.
type simSpec struct {
	Shape    shape
	Parts    []partSpec
	Start    time.Time // zero: now
	Schedule []string  // of each scope in turn; empty: as the parts say
}

// partSpec is a part on its way to another process.
type partSpec struct {
	Each     int
	Schedule string
	Running  bool
}

// simRole serves a simulated AWS with AWS's buckets and reports its URL.
func simRole(ctx context.Context, data json.RawMessage, say func(any) error) error {
	var spec simSpec
	if err := json.Unmarshal(data, &spec); err != nil {
		return err
	}
	parts := make([]part, len(spec.Parts))
	for i, p := range spec.Parts {
		parts[i] = part{each: p.Each, schedule: p.Schedule, running: p.Running}
	}
	f := fleetOf(spec.Shape, parts...)
	for i := range f.Resources {
		if n := len(spec.Schedule); n > 0 {
			f.Resources[i].Tags["Schedule"] = spec.Schedule[i%n]
		}
	}
	sim := awssim.New(awssim.Options{Start: spec.Start, Seed: 1})
	if err := sim.Load(f); err != nil {
		return err
	}
	server, err := awssim.NewServer("127.0.0.1:0", sim) //nolint:contextcheck // binding a port of this machine does not wait
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // it ends with the process
	if err := say(server.URL); err != nil {
		return err
	}
	return server.Wait()
}

// simulator is a simulated AWS in another process.
type simulator struct {
	*child
	url string
}

func simulate(ctx context.Context, spec simSpec) (*simulator, error) {
	c, err := spawn(ctx, "sim", spec)
	if err != nil {
		return nil, err
	}
	s := &simulator{child: c}
	return s, c.hear(&s.url)
}

// control asks the simulator's own interface and reads the answer into a value, if there is one.
func control(ctx context.Context, method, url string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	if read == nil {
		return nil
	}
	return read(response.Body)
}

// stats are the simulator's counts.
func stats(ctx context.Context, url string) (counts awssim.Stats, err error) {
	err = control(ctx, http.MethodGet, url+"/_sim/stats", func(r io.Reader) error { return json.NewDecoder(r).Decode(&counts) })
	return counts, err
}
