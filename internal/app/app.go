package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"dayshift/internal/clock"
	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/config"
	"dayshift/internal/fleet"
	"dayshift/internal/metrics"
	"dayshift/internal/notify"
	"dayshift/internal/notify/logs"
	"dayshift/internal/pass"
	"dayshift/internal/say"
	"dayshift/internal/store"
	"dayshift/internal/store/memory"
	"dayshift/internal/store/sqlstore"
)

// App is the program as wired for one configuration.
type App struct {
	Config  *config.Loaded
	Cloud   *aws.Cloud
	Store   store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Metrics *metrics.Set
	// Receivers are told everything, beside the channels of the configuration.
	Receivers []notify.Receiver

	office *notify.Office // of the channels of the configuration
	pauses clock.Clock    // of those between attempts to tell a channel; nil: the wall
	// saved says what was saved, for digests, see notify.Digest; nil: nobody counts.
	saved       func(ctx context.Context, from, to time.Time) (say.Text, error)
	text        []byte // the configuration, where it is built in and no file
	revision    int64  // of the objects in Config
	transport   http.RoundTripper
	credentials map[fleet.AccountID]aws.Credentials
	tables      *tables
	serving     bool // a daemon lists the accounts of organizations itself
}

// Access says what a command needs of the store.
type Access int

// The accesses.
const (
	Ask Access = iota // questions only: works while a daemon runs, makes no file
	Act               // reads and writes
)

// Open wires the program for a configuration: its store and its cloud. It makes
// no call to AWS. The caller closes the App.
func Open(ctx context.Context, loaded *config.Loaded, log *slog.Logger, access Access) (*App, error) {
	a := &App{tables: &tables{}, Config: loaded, Clock: clock.Real{}, Log: log, Metrics: metrics.New(), Receivers: []notify.Receiver{notify.Direct{Sender: logs.Channel{Logger: log}}}}
	var err error
	if a.Store, err = openStore(ctx, loaded.Store, access); err != nil {
		return nil, err
	}
	a.office = a.newOffice(a.Store)
	err = a.adopt(ctx)
	if err == nil {
		a.Cloud, err = a.cloud(a.Config, nil)
	}
	var channels map[string]notify.Channel
	if err == nil {
		channels, err = a.channels(a.Config, a.Cloud)
	}
	if err != nil {
		return nil, errors.Join(err, a.Store.Close())
	}
	a.office.Use(channels, lastTry) //nolint:contextcheck // a channel that goes has a time of its own to end
	return a, nil
}

// Close tries what waits for channels once more, and gives back the store.
func (a *App) Close() error {
	a.closeOffice()
	a.tables.Close()
	return a.Store.Close()
}

// cloud makes the AWS of a configuration; pacer, when not nil, carries on what
// is known of AWS's buckets.
func (a *App) cloud(loaded *config.Loaded, pacer *aws.Pacer) (*aws.Cloud, error) {
	accounts := make([]aws.Account, 0, len(loaded.Accounts))
	for _, account := range loaded.Accounts {
		accounts = append(accounts, aws.Account{
			ID: account.ID, RoleARN: account.Role, ExternalID: account.ExternalID.Reveal(),
			SessionName: account.SessionName, Regions: account.Regions, Profile: account.Profile,
			Credentials: a.credentials[account.ID],
		})
	}
	asked := aws.Config{
		Accounts: accounts, Organizations: directories(loaded), Kinds: loaded.Config.Kinds, TagKey: loaded.Config.Tag, Share: loaded.Config.AWS.APIShare, SessionDuration: time.Duration(loaded.Config.AWS.SessionDuration), Pacer: pacer,
		Windows: len(loaded.Book.SSMWindowNames()) > 0, Alarms: loaded.Book.MutesAlarms(), Transport: a.transport, Now: a.Clock.Now, Sleep: a.Clock.Sleep,
		Reservations: reserving(loaded),
		Observer: aws.Observer{
			Called: func(scope fleet.Scope, operation kinds.Operation, _ time.Duration, err error) {
				a.Metrics.Call(string(scope.Account), string(scope.Region), string(operation), errors.Is(err, cloud.ErrThrottled))
			},
		},
	}
	needs(loaded.Book.Workloads.All(), &asked)
	return aws.New(asked)
}

func openStore(ctx context.Context, where config.Store, access Access) (store.Store, error) {
	if where.Engine == config.Memory {
		return memory.New(), nil
	}
	opened, err := sqlstore.Open(ctx, where.Path, sqlstore.Options{ReadOnly: access == Ask})
	if access == Ask && errors.Is(err, store.ErrNotFound) {
		return memory.New(), nil // nothing has been remembered yet
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Pass returns a pass over scopes (nil: all of the configuration), complete but
// for the lease.
func (a *App) Pass(trigger string, scopes []fleet.Scope) *pass.Pass {
	if scopes == nil {
		scopes = a.Config.Scopes
	}
	return &pass.Pass{
		Cloud: a.Cloud, Finder: a.Cloud, Windows: a.Cloud, Snapshots: a.Cloud, Alarms: a.Cloud, Health: a.Cloud, Estimator: a.Cloud, Store: a.Store, Clock: a.Clock,
		Book: &a.Config.Book, Limits: a.Config.Limits, Config: a.Config.Fingerprint(),
		Scopes: scopes, All: len(scopes) == len(a.Config.Scopes), Trigger: trigger, Log: a.Log,
		Resync:    time.Duration(a.Config.Config.ResyncInterval),
		Tags:      pass.TagOptions{LastAction: a.Config.Config.Tags.LastAction, Error: a.Config.Config.Tags.Error},
		Receivers: a.receivers(),
	}
}

// holder names this process to whoever meets its lease.
func holder() string {
	host, err := os.Hostname()
	host = cmp.Or(host, "unknown-host")
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s process %d started %s", host, os.Getpid(), wall.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
}
