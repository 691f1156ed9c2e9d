package app

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"dayshift/internal/awssim"
)

// SimOptions say what the simulated AWS is to be.
type SimOptions struct {
	Fleet  string // a file, "demo", ACCOUNTSxREGIONSxRESOURCES, or empty for none
	Faults string // a file, or empty for none
	Speed  float64
	Limits bool // AWS's token buckets
	Seed   int64
	Start  time.Time // the simulated instant to begin at; zero: now
}

// maxSimFile bounds a fleet or faults file.
const maxSimFile = 64 << 20

// simRegions are the regions of a generated fleet, in this order.
var simRegions = []string{
	"us-east-1", "eu-west-1", "ap-northeast-2", "us-west-2", "eu-central-1", "ap-southeast-1", "ap-northeast-1", "us-east-2",
	"eu-west-2", "ap-south-1", "ca-central-1", "sa-east-1", "eu-north-1", "ap-southeast-2", "us-west-1", "eu-west-3",
}

var generatedFleet = regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,2})x([0-9]{1,7})$`)

// Bounds of a generated fleet.
const maxSimResources = 2_000_000

// NewSim makes a simulated AWS.
func NewSim(options SimOptions) (*awssim.Cloud, error) {
	if options.Speed <= 0 || options.Speed > 1e6 {
		return nil, fmt.Errorf("--speed %g: give more than 0 and at most 1000000; 60 makes an hour a minute", options.Speed)
	}
	f, err := simFleet(options.Fleet)
	if err != nil {
		return nil, err
	}
	sim := awssim.New(awssim.Options{Speed: options.Speed, Seed: options.Seed, Start: options.Start, Limits: awssim.Limits{Off: !options.Limits}})
	if err := sim.Load(f); err != nil {
		return nil, fmt.Errorf("load the fleet: %w", err)
	}
	if options.Faults != "" {
		data, err := readFile(options.Faults)
		if err != nil {
			return nil, err
		}
		faults, err := awssim.ParseFaults(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", options.Faults, err)
		}
		if err := sim.SetFaults(faults); err != nil {
			return nil, fmt.Errorf("%s: %w", options.Faults, err)
		}
	}
	return sim, nil
}

func simFleet(name string) (awssim.Fleet, error) {
	switch parts := generatedFleet.FindStringSubmatch(name); {
	case name == "":
		return awssim.Fleet{}, nil
	case name == "demo":
		return awssim.DemoFleet(), nil
	case parts != nil:
		accounts, _ := strconv.Atoi(parts[1]) // digits by the pattern
		regions, _ := strconv.Atoi(parts[2])
		each, _ := strconv.Atoi(parts[3])
		if accounts < 1 || regions < 1 || regions > len(simRegions) || accounts*regions*each > maxSimResources {
			return awssim.Fleet{}, fmt.Errorf("--fleet %s: give at least 1 account, 1 to %d regions and at most %d resources in all", name, len(simRegions), maxSimResources)
		}
		return awssim.Generate(awssim.Spec{Accounts: accounts, Regions: simRegions[:regions], Instances: accounts * regions * each, Running: 0.5}), nil
	}
	data, err := readFile(name)
	if err != nil {
		return awssim.Fleet{}, err
	}
	f, err := awssim.ParseFleet(data)
	if err != nil {
		return awssim.Fleet{}, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSimFile {
		return nil, fmt.Errorf("%s: expected a file of at most %d MB", path, maxSimFile>>20)
	}
	return os.ReadFile(path)
}

// ServeSim serves a simulated AWS on addr until ctx ends; listening is told its URL.
func ServeSim(ctx context.Context, addr string, sim *awssim.Cloud, listening func(url string)) error {
	server, err := awssim.NewServer(addr, sim) //nolint:contextcheck // binding a port of this machine does not wait
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing in it outlives the process
	defer stop()
	listening(server.URL)
	return server.Wait()
}
