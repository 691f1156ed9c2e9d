package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdkconfig "github.com/aws/aws-sdk-go-v2/config"
	sdkcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"dayshift/internal/cloud"
	"dayshift/internal/cloud/aws/kinds"
	"dayshift/internal/fleet"
)

// Operations on credentials.
const (
	assumeRole        kinds.Operation = "sts:AssumeRole"
	getCallerIdentity kinds.Operation = "sts:GetCallerIdentity"
)

const (
	// renewBefore is how long before its end a session is renewed, so that no call
	// leaves with one that ends on the way; a quarter of its life for a short one.
	renewBefore = 5 * time.Minute
	// sessionLasts is how long a session is good that was asked for without a
	// duration. A clock that makes one last longer than was asked for, or not at all,
	// is wrong, and then that is counted on: or a session would be asked for before
	// every call.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	sessionLasts = time.Hour
	// failureKept is how long a refusal of credentials is believed: a role that
	// is refused is asked for once per pass and not once per region and kind.
	failureKept = 20 * time.Second
	// connectTimeout bounds the connection to an endpoint, so that an unreachable
	// region is known as such before its calls time out.
	connectTimeout = 5 * time.Second
	// idleConnections per endpoint: as many as calls run at once.
	idleConnections = 64
)

// Credentials is where a session comes from. It is the SDK's own interface, so
// that those who wire the program need not import the SDK.
type Credentials = sdk.CredentialsProvider

// StaticKey gives a fixed access key.
func StaticKey(id, secret string) Credentials {
	return sdkcredentials.NewStaticCredentialsProvider(id, secret, "")
}

// baseConfig is the configuration that accounts with the same credentials at
// hand share, loaded when it is first needed: reading the shared files can
// fail, and that is the failure of a scope and not of the program.
type baseConfig struct {
	config      Config
	region      fleet.Region
	profile     string
	credentials sdk.CredentialsProvider
	// home is the account that is configured to need no role with these credentials; empty: none is.
	home fleet.AccountID

	mu     sync.Mutex
	loaded bool
	shared sdk.Config
}

func (b *baseConfig) load(ctx context.Context) (sdk.Config, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loaded {
		return b.shared, nil
	}
	options := []func(*sdkconfig.LoadOptions) error{
		// Each call carries its own region; this one is for the chain, which may
		// have to ask an STS of the right partition itself.
		sdkconfig.WithRegion(string(b.region)),
		sdkconfig.WithLogger(logging.Nop{}), // it would write to standard error past the program's own log
		sdkconfig.WithHTTPClient(awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = idleConnections })),
	}
	if b.profile != "" {
		options = append(options, sdkconfig.WithSharedConfigProfile(b.profile))
	}
	if b.credentials != nil {
		options = append(options, sdkconfig.WithCredentialsProvider(b.credentials))
	}
	cfg, err := sdkconfig.LoadDefaultConfig(ctx, options...)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return sdk.Config{}, fmt.Errorf("load the AWS configuration of this machine: %w", cause)
	}
	if err != nil {
		return sdk.Config{}, fmt.Errorf("load the AWS configuration of this machine: %w (%w)", cloud.ErrCredentials, err)
	}
	if b.config.Transport != nil {
		// After loading: with AWS_CA_BUNDLE set, loading refuses a client that it cannot build.
		cfg.HTTPClient = &http.Client{Transport: b.config.Transport, CheckRedirect: noRedirect}
	}
	if b.config.Endpoint != "" {
		cfg.BaseEndpoint = sdk.String(b.config.Endpoint)
		cfg.ConfigSources = nil // or AWS_ENDPOINT_URL_EC2 would go before it
	}
	// After loading, too: the chain keeps its own retries.
	cfg.Retryer = func() sdk.Retryer { return sdk.NopRetryer{} }
	cfg.RetryMaxAttempts = 1
	cfg.APIOptions = append(cfg.APIOptions, checkAnswers)
	b.shared, b.loaded = cfg, true
	return cfg, nil
}

// caller names the account whose bucket STS draws on for calls with the credentials
// at hand: theirs, whoever's role is asked for. Where neither they nor the
// configuration tell it, the profile stands for it.
func (b *baseConfig) caller(atHand sdk.Credentials) fleet.AccountID {
	return cmp.Or(fleet.AccountID(atHand.AccountID), b.home, fleet.AccountID(strings.TrimSpace("credentials at hand "+b.profile)))
}

// noRedirect: an API does not redirect; following one would send a signed
// request elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// account is an account with its session. It is the credentials provider of
// the account's clients.
type account struct {
	Account
	cloud *Cloud
	base  *baseConfig

	// turn holds one token: who has it fetches credentials, the others wait for them.
	turn chan struct{}

	mu       sync.Mutex
	session  *session
	failure  error
	failedAt time.Time
}

// session is a set of credentials known to be the account's.
type session struct {
	credentials sdk.Credentials
	// from gives the credentials anew at every call where the account needs no
	// role: the chain has its own cache and renewal.
	from sdk.CredentialsProvider
	// renewAt and ends are by the configuration's clock; zero: it does not end.
	renewAt, ends time.Time
}

// newSession is one that was asked for to last so long.
func newSession(credentials sdk.Credentials, now, ends time.Time, lasts time.Duration) *session {
	if ends.IsZero() {
		return &session{credentials: credentials}
	}
	left := ends.Sub(now)
	if left <= 0 || left > lasts {
		left = lasts
	}
	return &session{credentials: credentials, ends: now.Add(left), renewAt: now.Add(left - min(renewBefore, left/4))}
}

var _ sdk.CredentialsProvider = (*account)(nil)

// String names the account; one that asks for an organization may not know its own ID.
func (a *account) String() string {
	if a.ID == "" {
		return "organization"
	}
	return "account " + string(a.ID)
}

// Retrieve implements sdk.CredentialsProvider.
func (a *account) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	s, err := a.credentials(ctx)
	if err != nil {
		return sdk.Credentials{}, err
	}
	if s.from != nil {
		return s.from.Retrieve(ctx)
	}
	return s.credentials, nil
}

// current returns the session, or a failure that is still believed.
func (a *account) current() (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil && (a.session.ends.IsZero() || a.cloud.config.Now().Before(a.session.renewAt)) {
		return a.session, nil
	}
	if since := a.cloud.config.Now().Sub(a.failedAt); a.failure != nil && since >= 0 && since < failureKept {
		return nil, a.failure
	}
	return nil, nil
}

// credentials returns a session of the account, fetched when there is none or
// when it is about to end. One caller fetches, the others wait for the result.
func (a *account) credentials(ctx context.Context) (*session, error) {
	if s, err := a.current(); s != nil || err != nil {
		return s, err
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("credentials of %s: %w", a, context.Cause(ctx))
	}
	if s, err := a.current(); s != nil || err != nil {
		return s, err
	}
	s, err := a.fetch(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.session, a.failure = s, nil
		return s, nil
	}
	// One that has not ended yet is better than none.
	if old := a.session; old != nil && a.cloud.config.Now().Before(old.ends) {
		return old, nil
	}
	if errors.Is(err, cloud.ErrCredentials) {
		a.failure, a.failedAt = err, a.cloud.config.Now()
	}
	return nil, err
}

// renew drops a session that AWS no longer takes; a newer one stays.
func (a *account) renew(old *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == old {
		a.session = nil
		invalidate(old.from)
	}
}

// invalidate makes the SDK's chain look for credentials again.
func invalidate(provider sdk.CredentialsProvider) {
	if cache, cached := provider.(interface{ Invalidate() }); cached {
		cache.Invalidate()
	}
}

// fetch gets credentials and makes sure that they are the account's.
func (a *account) fetch(ctx context.Context) (*session, error) {
	shared, err := a.base.load(ctx)
	if err != nil {
		return nil, err
	}
	atHand, err := a.atHand(ctx, shared.Credentials)
	if err != nil {
		return nil, err
	}
	caller := a.base.caller(atHand)
	for i, region := range a.stsRegions() {
		cfg := shared.Copy()
		cfg.Region = string(region)
		client := sts.NewFromConfig(cfg)
		var got *session
		var failed error
		if a.RoleARN == "" {
			got, failed = a.verify(ctx, fleet.Scope{Account: caller, Region: region}, shared.Credentials, client.GetCallerIdentity)
		} else {
			got, failed = a.assume(ctx, fleet.Scope{Account: caller, Region: region}, shared.Credentials, client.AssumeRole)
		}
		if failed == nil {
			return got, nil
		}
		if i == 0 || !errors.Is(failed, cloud.ErrRegionDisabled) {
			err = failed
		}
		if !errors.Is(failed, cloud.ErrRegionDisabled) {
			break
		}
	}
	return nil, err
}

// atHand returns the credentials at hand; their absence is told in words of its own.
func (a *account) atHand(ctx context.Context, provider sdk.CredentialsProvider) (sdk.Credentials, error) {
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if provider == nil {
		provider = sdk.AnonymousCredentials{}
	}
	got, err := provider.Retrieve(bounded)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil { // whoever asked gave up: that says nothing about the credentials
			return got, fmt.Errorf("credentials of %s: %w", a, cause)
		}
		return got, fmt.Errorf("%s: no credentials at hand; set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run where a role is attached: %w (%w)", a, cloud.ErrCredentials, root(err))
	}
	return got, nil
}

// verify asks whose the credentials at hand are.
func (a *account) verify(ctx context.Context, caller fleet.Scope, provider sdk.CredentialsProvider, whoAmI func(context.Context, *sts.GetCallerIdentityInput, ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)) (*session, error) {
	var answer *sts.GetCallerIdentityOutput
	err := a.ask(ctx, caller, provider, getCallerIdentity, func(ctx context.Context) (err error) {
		answer, err = whoAmI(ctx, &sts.GetCallerIdentityInput{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: ask AWS whose the credentials at hand are: %w", a, asCredentials(caller.Region, err))
	}
	if got := sdk.ToString(answer.Account); a.ID != "" && got != string(a.ID) {
		return nil, fmt.Errorf("%s: the credentials at hand are those of account %s (%s); give the account a role, or use its own credentials: %w",
			a, clean(got), clean(sdk.ToString(answer.Arn)), cloud.ErrCredentials)
	}
	return &session{from: provider}, nil
}

// assume takes on the account's role, for as long as is configured. AWS refuses
// what is longer than the role allows, or than an hour where the credentials at
// hand are a role's own: then it is taken on for an hour, also from now on, and in
// the second case so is every other role.
func (a *account) assume(ctx context.Context, caller fleet.Scope, provider sdk.CredentialsProvider, assume func(context.Context, *sts.AssumeRoleInput, ...func(*sts.Options)) (*sts.AssumeRoleOutput, error)) (*session, error) {
	in := &sts.AssumeRoleInput{RoleArn: sdk.String(a.RoleARN), RoleSessionName: sdk.String(a.SessionName)}
	if a.ExternalID != "" {
		in.ExternalId = sdk.String(a.ExternalID)
	}
	lasts := cmp.Or(a.cloud.config.SessionDuration, sessionLasts)
	chain, role := hourlyKey{profile: a.base.profile}, hourlyKey{a.base.profile, a.RoleARN}
	if lasts > sessionLasts && a.cloud.pacer.hourly(chain, role) {
		lasts = sessionLasts
	}
	if lasts != sessionLasts {
		in.DurationSeconds = sdk.Int32(int32(lasts / time.Second))
	}
	var answer *sts.AssumeRoleOutput
	ask := func() error {
		return a.ask(ctx, caller, provider, assumeRole, func(ctx context.Context) (err error) {
			answer, err = assume(ctx, in)
			return err
		})
	}
	err := ask()
	if refusal := (*Error)(nil); lasts > sessionLasts && errors.As(err, &refusal) && refusal.Code == "ValidationError" {
		if strings.Contains(refusal.Message, "role chaining") {
			role = chain
		}
		lasts, in.DurationSeconds = sessionLasts, nil
		if err = ask(); err == nil { // else it was refused for another reason
			a.cloud.pacer.setHourly(role)
		}
	}
	if err != nil {
		hint := "check that its trust policy names the credentials at hand and asks for no external ID"
		if a.ExternalID != "" {
			hint = "check that its trust policy names the credentials at hand and exactly the configured external ID"
		}
		if !errors.Is(err, cloud.ErrUnauthorized) {
			hint = "its session could not be had"
		}
		return nil, fmt.Errorf("%s: assume role %s: %s: %w", a, a.RoleARN, hint, asCredentials(caller.Region, err))
	}
	got := answer.Credentials
	if got == nil || sdk.ToString(got.AccessKeyId) == "" || sdk.ToString(got.SecretAccessKey) == "" {
		return nil, fmt.Errorf("%s: assume role %s: the answer holds no credentials: %w", a, a.RoleARN, cloud.ErrTransient)
	}
	if user := answer.AssumedRoleUser; user != nil && accountOf(sdk.ToString(user.Arn)) != string(a.ID) {
		return nil, fmt.Errorf("%s: assume role %s: the session is one of %s: %w", a, a.RoleARN, clean(sdk.ToString(user.Arn)), cloud.ErrCredentials)
	}
	return newSession(sdk.Credentials{
		AccessKeyID: sdk.ToString(got.AccessKeyId), SecretAccessKey: sdk.ToString(got.SecretAccessKey),
		SessionToken: sdk.ToString(got.SessionToken), Source: "AssumeRole", AccountID: string(a.ID),
	}, a.cloud.config.Now(), sdk.ToTime(got.Expiration), lasts), nil
}

// ask makes a call to STS with the credentials at hand, paced under the account
// that they are of and tried again, once more with new ones when these have expired,
// or with AWS's time when ours is wrong.
func (a *account) ask(ctx context.Context, caller fleet.Scope, atHand sdk.CredentialsProvider, operation kinds.Operation, call func(context.Context) error) error {
	scope := fleet.Scope{Account: cmp.Or(a.ID, atHandOrganization), Region: caller.Region}
	attempt := func() error { return a.cloud.attempt(ctx, scope, operation, readTimeout, call) }
	err := a.cloud.again(ctx, caller, operation, attempt)
	if expired(err) || skewed(err) {
		invalidate(atHand)
		err = a.cloud.again(ctx, caller, operation, attempt)
	}
	return err
}

// asCredentials makes a refusal by STS a matter of credentials, whatever its
// code; a failure on the way stays one. Keys that a region does not know are bad
// keys only where the region is sure to be enabled.
func asCredentials(region fleet.Region, err error) error {
	var refusal *Error
	switch {
	case !errors.As(err, &refusal), errors.Is(err, cloud.ErrThrottled), errors.Is(err, cloud.ErrTransient):
		return err
	case errors.Is(err, cloud.ErrRegionDisabled) && !sureToBeEnabled(region):
		return err
	}
	copied := *refusal
	copied.class = cloud.ErrCredentials
	return &copied
}

// accountOf reads the account out of an ARN.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// alwaysOn are the regions that no account has to opt in to.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
var alwaysOn = []fleet.Region{
	"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
	"eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
	"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
}

func sureToBeEnabled(region fleet.Region) bool {
	return region.Partition() != fleet.AWS || slices.Contains(alwaysOn, region)
}

// stsRegions are the regions whose STS may be asked: the account's first one
// that is sure to be enabled, so that a region that is not fails alone and not
// the account; where there is none, each in turn. Sessions from any regional
// endpoint are good in all regions.
func (a *account) stsRegions() []fleet.Region {
	for _, region := range a.Regions {
		if sureToBeEnabled(region) {
			return []fleet.Region{region}
		}
	}
	return a.Regions
}
