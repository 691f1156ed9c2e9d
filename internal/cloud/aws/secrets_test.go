package aws

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"dayshift/internal/awssim"
	"dayshift/internal/cloud"
)

func TestSecretsAreReadAsTheyAreNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sim := simulate(t, awssim.Options{}, nil, nil)
		put := func(value string) {
			t.Helper()
			if err := sim.PutSecret(string(hub), "eu-central-1", "db/odcr", value); err != nil {
				t.Fatal(err)
			}
		}
		put(`{"username":"a","password":"one"}`)
		const arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db/odcr"
		for _, id := range []string{"db/odcr", arn} {
			if text, err := c.Secret(t.Context(), reservedScope, id); err != nil || text != `{"username":"a","password":"one"}` {
				t.Errorf("%s: %q %v", id, text, err)
			}
		}
		put("two")
		if text, err := c.Secret(t.Context(), reservedScope, "db/odcr"); err != nil || text != "two" {
			t.Errorf("rotated: %q %v", text, err)
		}
	})
}

func TestSecretsThatCanNotBeReadSayWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		id    string
		fault awssim.Fault
		want  error
	}{
		"unknown":      {"nothing", awssim.Fault{Kind: awssim.FaultDelay, For: 1}, cloud.ErrNotFound},
		"denied":       {"db", awssim.Fault{Kind: awssim.FaultDenied}, cloud.ErrUnauthorized},
		"the key":      {"db", awssim.Fault{Kind: awssim.FaultError, Code: "DecryptionFailure"}, cloud.ErrUnauthorized},
		"broken":       {"db", awssim.Fault{Kind: awssim.FaultError, Code: "InternalServiceError", Status: 500}, cloud.ErrTransient},
		"strange":      {"db", awssim.Fault{Kind: awssim.FaultHTML, Status: 200}, cloud.ErrTransient},
		"cut":          {"db", awssim.Fault{Kind: awssim.FaultCut}, cloud.ErrTransient},
		"nobody there": {"db", awssim.Fault{Kind: awssim.FaultUnreachable}, cloud.ErrTransient},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, sim := simulate(t, awssim.Options{}, nil, nil)
				if err := sim.PutSecret(string(hub), "eu-central-1", "db", `{"password":"canary"}`); err != nil {
					t.Fatal(err)
				}
				tc.fault.Service = "secretsmanager"
				if err := sim.SetFaults([]awssim.Fault{tc.fault}); err != nil {
					t.Fatal(err)
				}
				text, err := c.Secret(t.Context(), reservedScope, tc.id)
				if text != "" || !errors.Is(err, tc.want) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%q %v", text, err)
				}
			})
		})
	}
}
