package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"dayshift/internal/fleet"
	"dayshift/internal/say"
)

// Web is how the program is reached over HTTP, ready for use.
type Web struct {
	// Cert and Key are the paths of the certificate and its key, relative to the folder of the file; empty: plain HTTP.
	Cert, Key string
	// Trusted are the networks of proxies that are believed.
	Trusted []netip.Prefix
	// OIDC reports whether people can sign in with an identity provider.
	OIDC bool
}

// Bounds of what people write about HTTP.
const (
	maxOIDCText   = 512 // characters of a client's ID, a claim, a group
	maxOIDCSecret = 1024
	maxOIDCGroups = 1000
)

// Local reports whether an address to listen on can be reached from this
// machine alone.
func Local(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// web checks how the program is reached, and by whom.
func (b *builder) web() {
	c := b.c
	if _, written := b.at["metrics_listen"]; written {
		switch f := checkListen(c.MetricsListen); {
		case f != nil:
			b.faultAt("metrics_listen", *f)
		case c.MetricsListen == c.Listen:
			b.faultAt("metrics_listen", Fault{Text: c.MetricsListen, Problem: say.F("is the address of the page, too"), Fix: say.F("give the metrics another port")})
		}
	}
	if c.Pprof && c.MetricsListen == "" {
		b.faultAt("pprof", Fault{Problem: say.F("has no address to go with: profiles are served beside the metrics, never beside the page"), Fix: say.F("add metrics_listen: 127.0.0.1:9090")})
	}
	b.l.Web.Trusted = b.networks("trusted_proxies", c.TrustedProxies)
	b.certificate()
	b.oidc()
	b.pageAddress()
	if Local(c.Listen) || b.l.Web.Cert != "" || len(b.l.Web.Trusted) > 0 || b.reported("listen") {
		return
	}
	b.warnAt("listen", Fault{
		Text: c.Listen, Problem: say.F("can be reached from other machines without TLS: keys and sessions would cross the network for all to read"),
		Fix: say.F("add tls: {cert: …, key: …}, or trusted_proxies where a proxy in front speaks TLS"),
	})
}

// networks reads addresses and networks, a fault for each that is none.
func (b *builder) networks(key string, list []string) (read []netip.Prefix) {
	for i, text := range list {
		at := index(key, i)
		if b.unread(at) {
			continue
		}
		prefix, err := parseNetwork(text)
		if err != nil {
			b.faultAt(at, Fault{Text: text, Problem: say.F("is not a network"), Allowed: say.F("an address or a network such as 10.0.3.7, 10.0.0.0/8 or fd00::/8")})
			continue
		}
		read = append(read, prefix)
	}
	return read
}

func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// certificate finds the files of the certificate. That they can be used is found out when they are read.
func (b *builder) certificate() {
	if _, given := b.keys["tls"]; !given {
		return
	}
	path := func(key, text string) string {
		if _, written := b.at[key]; !written {
			return "" // it is required, and that was said
		}
		if strings.TrimSpace(text) == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			b.faultAt(key, Fault{Text: text, Problem: say.F("is not the path of a file")})
			return ""
		}
		return text
	}
	b.l.Web.Cert, b.l.Web.Key = path("tls.cert", b.c.TLS.Cert), path("tls.key", b.c.TLS.Key)
}

// oidc checks the identity provider.
func (b *builder) oidc() {
	const section = "auth.oidc"
	if _, given := b.keys[section]; !given {
		return
	}
	c := &b.c.Auth.OIDC
	b.l.Web.OIDC = true
	b.webAddress(section+".issuer", c.Issuer)
	b.webAddress(section+".redirect_url", c.RedirectURL)
	for key, text := range map[string]string{section + ".client_id": c.ClientID, section + ".groups_claim": c.GroupsClaim, section + ".name": c.Name} {
		if _, written := b.at[key]; !written {
			continue
		}
		if problem := badTagText(text, maxOIDCText); !problem.Empty() {
			b.faultAt(key, Fault{Text: text, Problem: problem})
		}
	}
	if _, written := b.at[section+".client_secret"]; written {
		value, source, f := b.env.secret(c.ClientSecret.value)
		c.ClientSecret = Secret{}
		switch {
		case f != nil:
			b.faultAt(section+".client_secret", *f)
		case value == "" || len(value) > maxOIDCSecret:
			b.faultAt(section+".client_secret", Fault{Problem: say.F("is no secret of a client (the value is not shown; it comes from %s)", source), Allowed: say.F("1 to %d characters", maxOIDCSecret)})
		default:
			c.ClientSecret = Secret{value: value, source: source}
		}
	}
	for i, scope := range c.Scopes {
		if at := index(section+".scopes", i); !b.unread(at) && (scope == "" || strings.ContainsAny(scope, " \t\"\\") || len(scope) > maxOIDCText) {
			b.faultAt(at, Fault{Text: scope, Problem: say.F("is not a scope"), Allowed: say.F("a word such as groups")})
		}
	}
	if len(c.Groups) > maxOIDCGroups {
		b.faultAt(section+".groups", Fault{Problem: say.F("has %d groups; at most %d are taken", len(c.Groups), maxOIDCGroups)})
		return
	}
	for i := range c.Groups {
		b.oidcGroup(index(section+".groups", i), &c.Groups[i])
	}
}

func (b *builder) oidcGroup(path string, g *OIDCGroup) {
	if _, written := b.at[path+".group"]; written {
		if problem := badTagText(g.Group, maxOIDCText); !problem.Empty() {
			b.faultAt(path+".group", Fault{Text: g.Group, Problem: problem})
		}
	}
	if _, written := b.at[path+".within"]; written {
		if _, err := fleet.ParseFilter(g.Within); err != nil {
			b.faultAt(path+".within", Fault{Text: g.Within, Problem: say.F("is not a filter: %v", err), Allowed: say.F("key=value with commas between, such as tag:env=prod")})
		}
	}
}

// webAddress checks an address that browsers or the provider are asked at.
func (b *builder) webAddress(path, text string) {
	if _, written := b.at[path]; !written {
		return
	}
	f := Fault{Text: urlUser.ReplaceAllString(text, "${1}"+redacted+"${3}"), Allowed: say.F("https://HOST/PATH; http:// on this machine alone")}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		f.Problem = say.F("is not an address")
	case u.User != nil:
		f.Problem = say.F("has a name or password in it")
	case u.RawQuery != "" || u.Fragment != "":
		f.Problem = say.F("has something behind its path")
	case u.Scheme == "https", u.Scheme == "http" && Local(net.JoinHostPort(u.Hostname(), "0")):
		return
	default:
		f.Problem = say.F("is not encrypted")
	}
	b.faultAt(path, f)
}
