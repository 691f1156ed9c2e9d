package config

import "testing"

// Letters that other languages make a letter of ASCII of are not that letter: they would be somebody else's address.
func TestIdentityOfJandi(t *testing.T) {
	for id, want := range map[string]string{"Hana.Kim@Example.COM": "hana.kim@example.com", "hana.\u212Aim@example.com": "hana.\u212Aim@example.com"} {
		if got := Identity(JandiChat, id); got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
	}
	if got := Identity(SlackChat, "U0ABC"); got != "U0ABC" {
		t.Errorf("an ID of Slack is %q", got)
	}
}
