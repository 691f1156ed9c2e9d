package kinds

import (
	"errors"
	"fmt"

	"dayshift/internal/cloud"
)

// RegionMissing is what a finding misses where the region is off.
const RegionMissing = "region"

// probeFinding judges a call that was really made.
func probeFinding(ability string, operation Operation, err error) cloud.Finding {
	if err == nil {
		return cloud.Finding{Ability: ability, OK: true, Detail: "works"}
	}
	finding := cloud.Finding{Ability: ability, Detail: err.Error()}
	switch {
	case errors.Is(err, cloud.ErrUnauthorized):
		finding.Missing = string(operation)
		finding.Detail = fmt.Sprintf("allow %s in the policy of the role: %v", operation, err)
	case errors.Is(err, cloud.ErrRegionDisabled):
		finding.Missing = RegionMissing
		finding.Detail = fmt.Sprintf("enable the region in the account's settings, or take it out of the account's regions: %v", err)
	}
	return finding
}

// dryRunFinding judges a dry run, for which EC2 has two answers of its own: the
// permission is there (dry run operation) or it is missing. example is the
// instance it was tried on, empty when there was none.
func dryRunFinding(ability string, operation Operation, example, tagKey string, err error) cloud.Finding {
	switch {
	case err == nil || errors.Is(err, ErrDryRun):
		return cloud.Finding{Ability: ability, OK: true, Detail: "works (dry run)"}
	case example == "" && errors.Is(err, cloud.ErrNotFound):
		return cloud.Finding{Ability: ability, OK: true, Detail: "works (dry run on an instance that does not exist)"}
	case example == "" && errors.Is(err, cloud.ErrUnauthorized):
		// A policy that is limited to tagged instances refuses one that does not
		// exist, as one that grants nothing does.
		tagged := "an instance"
		if tagKey != "" {
			tagged = fmt.Sprintf("an instance with the tag %s", tagKey)
		}
		return untested(ability, fmt.Sprintf("not known: there is no instance to try %s on; create %s and ask again", operation, tagged))
	}
	return probeFinding(ability, operation, err)
}

// untested is the finding for what cannot be tried without doing it.
func untested(ability, detail string) cloud.Finding {
	return cloud.Finding{Ability: ability, OK: true, Untested: true, Detail: detail}
}

// ErrDryRun is what a Caller returns for a dry run that would have succeeded.
var ErrDryRun = errors.New("dry run: the request would have succeeded")
