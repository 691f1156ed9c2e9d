package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dayshift/internal/awssim"
)

// zoneData makes a folder of zone data in which a zone follows a rule of POSIX,
// in the form of RFC 8536.
func zoneData(t *testing.T, zone, rule string) (folder string) {
	t.Helper()
	var file bytes.Buffer
	for range 2 { // the second time for 64-bit times, which is the same without any
		file.WriteString("TZif2" + strings.Repeat("\x00", 15))
		for _, n := range []uint32{0, 0, 0, 0, 1, 4} { // one type, four bytes of names
			_ = binary.Write(&file, binary.BigEndian, n) // into memory
		}
		file.WriteString("\x00\x00\x00\x00\x00\x00" + "LMT\x00")
	}
	file.WriteString("\n" + rule + "\n")
	folder = t.TempDir()
	path := filepath.Join(folder, filepath.FromSlash(zone))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// The zone data of the machine change: whoever starts after that computes with
// the new ones, from the same file and the same store, and the record stays whole.
func TestFault14ZoneDataChange(t *testing.T) {
	t.Parallel()
	sim := newGated(t, awssim.Fleet{Resources: []awssim.Resource{
		{Account: "111122223333", Region: "eu-west-1", Kind: "ec2", Name: "web", State: "stopped", Tags: map[string]string{"Schedule": "office"}},
	}})
	dir, env := workplace(t, `
accounts: [{id: "111122223333", regions: [eu-west-1]}]
periods: {office: {begintime: "09:00", endtime: "18:00"}}
schedules: {office: {timezone: Asia/Seoul, periods: [office]}}
`)
	before, after := zoneData(t, "Asia/Seoul", "KST-9"), zoneData(t, "Asia/Seoul", "<+0830>-8:30")
	way := env(sim.gate(t))
	for _, test := range []struct{ data, start, stop string }{{before, "00:00:00", "09:00:00"}, {after, "00:30:00", "09:30:00"}, {before, "00:00:00", "09:00:00"}} {
		with := append(way, "ZONEINFO="+test.data)
		if out, err := runProcess(dir, with, "run", "--wait", "0"); err != nil {
			t.Fatalf("run: %v\n%s", err, out)
		}
		out, err := runProcess(dir, with, "preview", "--from", "2027-03-05T00:00:00Z", "--to", "2027-03-05T12:00:00Z", "-o", "csv")
		if err != nil || !strings.Contains(out, "2027-03-05 "+test.stop+" UTC,stop") {
			t.Errorf("no stop at %s: %v\n%s", test.stop, err, out)
		}
		out, err = runProcess(dir, with, "preview", "--from", "2027-03-04T23:00:00Z", "--to", "2027-03-05T12:00:00Z", "-o", "csv")
		if err != nil || !strings.Contains(out, "2027-03-05 "+test.start+" UTC,start") {
			t.Errorf("no start at %s: %v\n%s", test.start, err, out)
		}
	}
	verified(t, dir, way)
}
