package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Secret is a secret of Secrets Manager.
type Secret struct {
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	Name    string `yaml:"name"`
	Value   string `yaml:"value"`
}

// secret is one with its versions, the present one last.
type secret struct {
	name     string
	arn      string
	created  int64
	versions []secretVersion
}

type secretVersion struct{ id, value string }

// maxSecret is the largest value that Secrets Manager keeps.
const maxSecret = 65_536

var secretNameForm = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

// secretsService is the row of Secrets Manager.
func secretsService() *service {
	return &service{
		name: "secretsmanager", version: "2017-10-17", protocol: awsJSON, namespace: "secretsmanager",
		words: map[string]string{
			"InvalidParameterCombination": "InvalidParameterException", "InvalidParameterValue": "InvalidParameterException",
			"MissingParameter": "InvalidParameterException", "UnknownParameter": "InvalidParameterException",
		},
		actions: map[string]*action{
			"GetSecretValue": does(read, "SecretId VersionId VersionStage", "SecretId", getSecretValue),
			"CreateSecret":   does(write, "Name SecretString ClientRequestToken", "Name", createSecret),
			"PutSecretValue": does(write, "SecretId SecretString ClientRequestToken", "SecretId", putSecretValue),
		},
	}
}

func (f *Secret) check(bad func(field, format string, args ...any)) {
	if !isAccountID(f.Account) {
		bad("account", "%q is not an account: twelve digits, quoted", f.Account)
	}
	if regions[f.Region] == nil {
		bad("region", "%q is not a region", f.Region)
	}
	if !secretNameForm.MatchString(f.Name) {
		bad("name", "%q is not the name of a secret: 1 to 512 letters, digits and /_+=.@-", f.Name)
	}
	if f.Value == "" || len(f.Value) > maxSecret {
		bad("value", "%d bytes: must be between 1 and %d", len(f.Value), maxSecret)
	}
}

// secretOf makes the secret of an entry.
func (c *Cloud) secretOf(s *scope, name, value string, now int64) *secret {
	k := &secret{name: name, created: now, versions: []secretVersion{{c.versionID(), value}}}
	k.arn = fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-%s", s.region.partition, s.region.name, s.account.id, name, fmt.Sprintf("%016x", hash(c.seed, "secret", s.account.id, s.region.name, name))[:6])
	return k
}

func (c *Cloud) versionID() string { return requestID(c.seed, c.mint()) }

// secret finds a secret by name, by ARN, or by the ARN without its last six letters; the scope's lock is held.
func (s *scope) secret(id string) *secret {
	for _, k := range s.secrets {
		if id == k.name || id == k.arn || id == k.arn[:len(k.arn)-len("-123456")] {
			return k
		}
	}
	return nil
}

// describeSecrets gives the entries of a fleet; the scope's lock is held.
func (s *scope) describeSecrets() []Secret {
	var out []Secret
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		k := s.secrets[name]
		out = append(out, Secret{s.account.id, s.region.name, k.name, k.versions[len(k.versions)-1].value})
	}
	return out
}

func noSuchSecret() *Error {
	return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func getSecretValue(k *call, w *xw) *Error {
	if e := k.p.need("SecretId"); e != nil {
		return e
	}
	stage, e := k.p.oneOf("VersionStage", "AWSCURRENT", "AWSCURRENT", "AWSPREVIOUS")
	if e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	s := k.scope.secret(k.p["SecretId"])
	if s == nil {
		return noSuchSecret()
	}
	at := len(s.versions) - 1
	if stage == "AWSPREVIOUS" {
		at--
	}
	if id := k.p["VersionId"]; id != "" {
		at = slices.IndexFunc(s.versions, func(v secretVersion) bool { return v.id == id })
	}
	if at < 0 {
		return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", stage)
	}
	return writeAnswer(w, struct {
		ARN           string
		CreatedDate   float64
		Name          string
		SecretString  string
		VersionID     string `json:"VersionId"`
		VersionStages []string
	}{s.arn, float64(s.created) / 1e9, s.name, s.versions[at].value, s.versions[at].id, []string{stage}})
}

func createSecret(k *call, w *xw) *Error {
	if e := k.p.need("Name", "SecretString"); e != nil {
		return e
	}
	name, value := k.p["Name"], k.p["SecretString"]
	if !secretNameForm.MatchString(name) || len(value) > maxSecret {
		return refuse("InvalidParameterException", "Invalid name, or more than %d bytes in the secret.", maxSecret)
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	if k.scope.secrets[name] != nil {
		return refuse("ResourceExistsException", "The operation failed because the secret %s already exists.", name)
	}
	if len(k.scope.secrets) >= maxPerScope {
		return refuse("LimitExceededException", "You've reached the quota for secrets.")
	}
	return writeSecret(w, k.scope.addSecret(k.c.secretOf(k.scope, name, value, k.ns())))
}

func (s *scope) addSecret(k *secret) *secret {
	if s.secrets == nil {
		s.secrets = map[string]*secret{}
	}
	s.secrets[k.name] = k
	return k
}

func putSecretValue(k *call, w *xw) *Error {
	if e := k.p.need("SecretId", "SecretString"); e != nil {
		return e
	}
	k.scope.mu.Lock()
	defer k.scope.mu.Unlock()
	s := k.scope.secret(k.p["SecretId"])
	switch {
	case s == nil:
		return noSuchSecret()
	case len(k.p["SecretString"]) > maxSecret:
		return refuse("InvalidParameterException", "More than %d bytes in the secret.", maxSecret)
	}
	s.versions = append(s.versions[max(0, len(s.versions)-1):], secretVersion{cmp.Or(k.p["ClientRequestToken"], k.c.versionID()), k.p["SecretString"]})
	return writeSecret(w, s)
}

func writeSecret(w *xw, s *secret) *Error {
	return writeAnswer(w, struct {
		ARN       string
		Name      string
		VersionID string `json:"VersionId"`
	}{s.arn, s.name, s.versions[len(s.versions)-1].id})
}

// PutSecret sets the value of a secret as a person would, and makes one that does not exist.
func (c *Cloud) PutSecret(account, region, name, value string) error {
	f := Secret{account, region, name, value}
	var faults []string
	f.check(func(field, format string, args ...any) {
		faults = append(faults, field+": "+fmt.Sprintf(format, args...))
	})
	if len(faults) > 0 {
		return fmt.Errorf("put secret: %s", strings.Join(faults, "; "))
	}
	s := c.scope(c.account(account), regions[region])
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.secrets[name]; k != nil {
		k.versions = append(k.versions[len(k.versions)-1:], secretVersion{c.versionID(), value})
		return nil
	}
	s.addSecret(c.secretOf(s, name, value, c.Now().UnixNano()))
	return nil
}
