package service

import (
	"testing"

	"dayshift/internal/config"
)

// TestWhereAChannelLeads: of an address only the host is told; what else names a place is no secret.
func TestWhereAChannelLeads(t *testing.T) {
	loaded, err := config.Parse("dayshift.yaml", []byte(officeFile+`
channels:
  room: {type: slack, url: "https://hooks.example.com/services/canary?key=canary"}
  topic: {type: sns, topic: "arn:aws:sns:ap-northeast-2:111122223333:dayshift"}
  mail: {type: email, smtp: "smtp.example.com:587", from: dayshift@example.com, to: [ops@example.com, kim@example.com]}
`), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"room": "hooks.example.com", "topic": "arn:aws:sns:ap-northeast-2:111122223333:dayshift", "mail": "ops@example.com, kim@example.com",
	} {
		c := loaded.Config.Channels[name]
		if got := leads(&c); got != want {
			t.Errorf("%s leads to %q, want %q", name, got, want)
		}
	}
}
