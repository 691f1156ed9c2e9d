package kinds

import (
	"errors"
	"strings"

	"dayshift/internal/cloud"
	"dayshift/internal/say"
)

// RegionMissing is what a finding misses where the region is off.
const RegionMissing = "region"

// probeFinding judges a call that was really made.
func probeFinding(ability say.Text, operation Operation, err error) cloud.Finding {
	if err == nil {
		return cloud.Finding{Ability: ability, OK: true, Detail: say.F("works")}
	}
	finding := cloud.Finding{Ability: ability, Detail: say.Of(err)}
	switch {
	case errors.Is(err, cloud.ErrUnauthorized):
		finding.Missing = string(operation)
		finding.Detail = say.F("allow %s in the policy of the role: %v", operation, err)
	case errors.Is(err, cloud.ErrRegionDisabled):
		finding.Missing = RegionMissing
		finding.Detail = say.F("enable the region in the account's settings, or take it out of the account's regions: %v", err)
	}
	return finding
}

// dryRunFinding judges a dry run, for which EC2 has two answers of its own: the
// permission is there (dry run operation) or it is missing. example is the
// instance it was tried on, empty when there was none.
func dryRunFinding(ability say.Text, operation Operation, example, tagKey string, err error) cloud.Finding {
	switch {
	case err == nil || errors.Is(err, ErrDryRun):
		return cloud.Finding{Ability: ability, OK: true, Detail: say.F("works (dry run)")}
	case example == "" && errors.Is(err, cloud.ErrNotFound):
		return cloud.Finding{Ability: ability, OK: true, Detail: say.F("works (dry run on an instance that does not exist)")}
	case example == "" && errors.Is(err, cloud.ErrUnauthorized):
		// A policy that is limited to tagged instances refuses one that does not
		// exist, as one that grants nothing does.
		if tagKey == "" {
			return untested(ability, say.F("not known: there is no instance to try %s on; create an instance and ask again", operation))
		}
		return untested(ability, say.F("not known: there is no instance to try %s on; create an instance with the tag %s and ask again", operation, tagKey))
	}
	return probeFinding(ability, operation, err)
}

// untested is the finding for what cannot be tried without doing it.
func untested(ability, detail say.Text) cloud.Finding {
	return cloud.Finding{Ability: ability, OK: true, Untested: true, Detail: detail}
}

// undryable is the finding for what a service has no dry run of.
func undryable(ability say.Text, service string, operations ...Operation) cloud.Finding {
	names := make([]string, len(operations))
	for i, operation := range operations {
		names[i] = string(operation)
	}
	return untested(ability, say.F("not known: %s has no dry run; the role needs %s", service, strings.Join(names, ", ")))
}

// ErrDryRun is what a Caller returns for a dry run that would have succeeded.
var ErrDryRun = errors.New("dry run: the request would have succeeded")
