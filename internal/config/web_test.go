package config

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const webFile = `accounts: [{id: "111122223333", regions: [eu-central-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00"}}
schedules: {office: {periods: [office]}}
`

func parseWeb(t *testing.T, text string) *Loaded {
	t.Helper()
	loaded, err := Parse("dayshift.yaml", []byte(webFile+text), Env{Lookup: func(name string) (string, bool) { return "s3cret-" + name, name == "OIDC_SECRET" }})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestSigningInWithAProvider(t *testing.T) {
	l := parseWeb(t, `
auth:
  anonymous: read
  oidc:
    name: Company login
    issuer: https://login.example.com/realms/shop
    client_id: dayshift
    client_secret: ${OIDC_SECRET}
    redirect_url: http://localhost:8080/api/v1/session/oidc/callback
    scopes: [profile, groups]
    groups:
      - {group: platform, role: admin}
      - {group: shop, role: operator, within: "tag:Team=shop"}
`)
	c := l.Config.Auth.OIDC
	if !l.Web.OIDC || l.Config.Auth.Anonymous != "read" || c.ClientSecret.Reveal() != "s3cret-OIDC_SECRET" || c.GroupsClaim != "groups" || len(c.Groups) != 2 || c.Groups[1].Within != "tag:Team=shop" {
		t.Errorf("%+v", c)
	}
	for _, shown := range []string{fmt.Sprintf("%+v", l.Config), fmt.Sprint(slog.AnyValue(l.Config.Auth)), strings.Join(l.Diff(parseWeb(t, "")), "\n")} {
		if strings.Contains(shown, "s3cret") {
			t.Errorf("the secret is shown: %s", shown)
		}
	}
	for _, v := range l.Values() {
		if strings.Contains(fmt.Sprint(v), "s3cret") {
			t.Errorf("the secret is shown: %+v", v)
		}
	}
}

func TestListeningForOthersWithoutTLS(t *testing.T) {
	for text, warned := range map[string]bool{
		"":                      false,
		"listen: localhost:80":  false,
		"listen: \"[::1]:80\"":  false,
		"listen: :8080":         true,
		"listen: 10.0.0.7:8080": true,
		"listen: :8080\ntrusted_proxies: [10.0.0.0/8, \"fd00::1\"]": false,
		"listen: :8443\ntls: {cert: server.crt, key: server.key}":   false,
	} {
		l := parseWeb(t, text)
		if got := len(l.Warnings) > 0; got != warned {
			t.Errorf("%q: warnings %v", text, l.Warnings)
		}
	}
	l := parseWeb(t, "trusted_proxies: [10.1.2.3/8, \"fd00::1\"]")
	if fmt.Sprint(l.Web.Trusted) != "[10.0.0.0/8 fd00::1/128]" {
		t.Errorf("%v", l.Web.Trusted)
	}
}

func TestNetworksOfHooks(t *testing.T) {
	if l := parseWeb(t, "hook_networks: [10.1.2.3/8, 192.168.7.9]"); fmt.Sprint(l.HookNetworks) != "[10.0.0.0/8 192.168.7.9/32]" {
		t.Errorf("%v", l.HookNetworks)
	}
	if _, err := Parse("dayshift.yaml", []byte(webFile+"hook_networks: [intranet]"), Env{}); err == nil || !strings.Contains(err.Error(), "is not a network") {
		t.Errorf("%v", err)
	}
}

func TestMetricsElsewhere(t *testing.T) {
	l := parseWeb(t, "metrics_listen: 127.0.0.1:9090\npprof: true")
	if l.Config.MetricsListen != "127.0.0.1:9090" || !l.Config.Pprof {
		t.Errorf("%+v", l.Config)
	}
	for _, text := range []string{"pprof: true", "metrics_listen: 127.0.0.1:8080"} {
		if _, err := Parse("dayshift.yaml", []byte(webFile+text), Env{}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
