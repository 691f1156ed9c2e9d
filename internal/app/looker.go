package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dayshift/internal/cloud"
	"dayshift/internal/fleet"
	"dayshift/internal/pass"
	"dayshift/internal/service"
)

// memoryLooker answers what is asked over the API from the fleet as it was last
// listed, and decides on it freshly, with what the store remembers: a page that
// is open asks AWS for nothing. What was never seen is listed.
type memoryLooker struct {
	d         *Daemon
	concerned func(*fleet.Resource) bool // nil: everything is asked for
	sure      bool                       // where nothing is concerned, nothing is looked at
}

var _ service.Narrower = memoryLooker{}

// Narrow implements service.Narrower.
func (l memoryLooker) Narrow(concerned func(*fleet.Resource) bool, sure bool) service.Looker {
	return memoryLooker{l.d, concerned, sure}
}

// listAgain is how old, by the wall, the last listing of everything has to be
// for what nobody has seen to be looked for once more: whoever asks for a name
// that there is not must not have AWS asked for the whole fleet each time.
const listAgain = 30 * time.Second

// Look implements service.Looker.
func (l memoryLooker) Look(ctx context.Context, at time.Time, chains bool) (pass.Report, error) {
	if err := l.d.seen(ctx, time.Time{}); err != nil {
		return pass.Report{}, err
	}
	a := l.d.present()
	scopes := a.Config.Scopes
	if l.concerned != nil {
		scopes = l.d.board.ScopesWith(l.concerned)
		if len(scopes) == 0 && !l.sure {
			if err := l.d.seen(ctx, wall.Now().Add(-listAgain)); err != nil {
				return pass.Report{}, err
			}
			if scopes = l.d.board.ScopesWith(l.concerned); len(scopes) == 0 {
				scopes = a.Config.Scopes // so that the answer can say what was probably meant
			}
		}
		if scopes == nil {
			scopes = []fleet.Scope{}
		}
	}
	seen := &lastListed{Cloud: a.Cloud, board: l.d.board, scopes: map[fleet.Scope]service.SeenScope{}}
	p := a.Pass("look", scopes)
	p.DryRun, p.At, p.Chains = true, at, chains
	p.Cloud, p.Windows, p.Finder, p.Health, p.Log = seen, seen, nil, nil, slog.New(slog.DiscardHandler)
	return pass.Run(ctx, p)
}

// lastListed is a cloud of which nothing is known but what a board has seen.
type lastListed struct {
	pass.Cloud
	board *service.Board

	mu     sync.Mutex
	scopes map[fleet.Scope]service.SeenScope
}

func (l *lastListed) scope(scope fleet.Scope) (service.SeenScope, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, known := l.scopes[scope]
	if !known {
		var ok bool
		if seen, ok = l.board.Seen(scope); !ok {
			return seen, errNotSeen
		}
		l.scopes[scope] = seen
	}
	return seen, nil
}

// errNotSeen is why a scope is a gap that was not listed since the program began.
var errNotSeen = errors.New("it was not listed yet")

// List implements cloud.Lister.
func (l *lastListed) List(_ context.Context, scope fleet.Scope, kind fleet.Kind, query cloud.Query) ([]fleet.Resource, error) {
	seen, err := l.scope(scope)
	if err != nil {
		return nil, err
	}
	if err := seen.Missing[kind]; err != nil {
		return nil, err
	}
	var list []fleet.Resource
	for i := range seen.Resources {
		r := &seen.Resources[i]
		if _, tagged := r.Tags[query.TagKey]; r.Kind == kind && (tagged || query.TagKey == "") {
			list = append(list, *r)
		}
	}
	return list, nil
}

// Windows implements cloud.WindowLister.
func (l *lastListed) Windows(_ context.Context, scope fleet.Scope, _ []string) ([]cloud.Window, error) {
	seen, err := l.scope(scope)
	if err != nil {
		return nil, err
	}
	list := make([]cloud.Window, 0, len(seen.Windows))
	for _, w := range seen.Windows {
		list = append(list, cloud.Window{Name: w.Name, Enabled: true, Next: w.From, Duration: w.Until.Sub(w.From)})
	}
	return list, nil
}

// Of a look at everything for the board so many parts are under way at once, of so many scopes each: what was seen is
// shown as it comes, and never more than some scopes are held beside the board.
const (
	lookParts  = 4
	lookScopes = 8
)

// lookAround lists everything for the board and feeds it, part by part.
func (d *Daemon) lookAround(ctx context.Context) {
	defer d.board.Begun()
	a := d.present()
	var group errgroup.Group
	group.SetLimit(lookParts)
	for begin := 0; begin < len(a.Config.Scopes); begin += lookScopes {
		scopes := a.Config.Scopes[begin:min(begin+lookScopes, len(a.Config.Scopes))]
		group.Go(func() error {
			p := a.Pass("look", scopes)
			p.DryRun = true
			report, err := pass.Run(ctx, p)
			if err == nil && ctx.Err() == nil {
				d.board.Feed(service.BoardFeed{Report: &report, Book: p.Book, Whole: true})
			}
			return err
		})
	}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "the fleet could not be looked at whole for the page", slog.Any("error", err))
	}
}

// seen makes sure that everything was listed since an instant by the wall (zero:
// ever). Whoever comes while somebody looks waits for that.
func (d *Daemon) seen(ctx context.Context, since time.Time) error {
	select {
	case d.page.looks <- struct{}{}:
		defer func() { <-d.page.looks }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	last := time.Unix(0, d.page.looked.Load())
	if d.board.Complete() && !last.Before(since) {
		d.board.Keep()
		return nil
	}
	d.board.Keep()
	d.lookAround(ctx)
	if ctx.Err() == nil {
		d.page.looked.Store(wall.Now().UnixNano())
	}
	return context.Cause(ctx)
}
