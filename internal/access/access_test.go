package access_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"dayshift/internal/access"
)

func TestRoles(t *testing.T) {
	want := map[access.Role][]access.Permission{
		access.Viewer:   {access.Read},
		access.Operator: {access.Read, access.Act},
		access.Editor:   {access.Read, access.Act, access.Edit},
		access.Admin:    {access.Read, access.Act, access.Edit, access.Manage},
		"":              {},
		"root":          {},
		"Admin":         {},
	}
	for role, permissions := range want {
		if got := role.Allowed(); !slices.Equal(got, permissions) {
			t.Errorf("%q is allowed %v, want %v", role, got, permissions)
		}
		for _, p := range access.Permissions {
			if (access.Principal{Role: role}).May(p) != slices.Contains(permissions, p) {
				t.Errorf("%q may %s is wrong", role, p)
			}
		}
		if role.May("") || role.May("destroy") {
			t.Errorf("%q has a permission that there is not", role)
		}
		if parsed, err := access.ParseRole(string(role)); (err == nil) != slices.Contains(access.Roles, role) || err == nil && parsed != role {
			t.Errorf("ParseRole(%q): %q, %v", role, parsed, err)
		}
	}
	if (access.Principal{}).May(access.Read) {
		t.Error("nobody may read")
	}
	if !access.Local("kim").May(access.Manage) || access.Anonymous().May(access.Act) {
		t.Error("a person at the store may everything, somebody anonymous only read")
	}
	if id := (access.Principal{ID: "key:abcdEF12"}).KeyID(); id != "abcdEF12" {
		t.Errorf("key ID %q", id)
	}
	if id := (access.Principal{ID: "user:kim@example.com"}).KeyID(); id != "" {
		t.Errorf("a person has the key %q", id)
	}
}

func newKey(t testing.TB) access.Key {
	t.Helper()
	key, err := access.NewKey(rand.Reader, "")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A million keys: none twice, and every character of the secret carries its
// log2(62) bits, which makes 190 of them.
func TestFault02KeysAreUniqueAndRandom(t *testing.T) {
	keys := 1_000_000
	if testing.Short() || raced {
		keys = 50_000
	}
	random := bytes.NewReader(nil)
	block := make([]byte, 1<<20)
	secrets := make(map[[40]byte]struct{}, keys)
	var seen [40][256]int
	for range keys {
		if random.Len() < 256 {
			if _, err := rand.Read(block); err != nil {
				t.Fatal(err)
			}
			random.Reset(block)
		}
		key, err := access.NewKey(random, "")
		if err != nil {
			t.Fatal(err)
		}
		text := key.Text()
		var secret [40]byte
		copy(secret[:], text[4:12])
		copy(secret[8:], text[13:45])
		for i, c := range secret {
			seen[i][c]++
		}
		secrets[secret] = struct{}{}
	}
	if len(secrets) != keys {
		t.Errorf("%d of %d keys are different", len(secrets), keys)
	}
	mean := float64(keys) / 62
	for i := range seen {
		used := 0
		for _, n := range seen[i] {
			if n == 0 {
				continue
			}
			used++
			// Six standard deviations: by chance once in a hundred thousand of these tests.
			if math.Abs(float64(n)-mean) > 6*math.Sqrt(mean) {
				t.Errorf("character %d: one comes %d times, %.0f would be fair", i, n, mean)
			}
		}
		if used != 62 {
			t.Errorf("character %d takes %d values, want 62", i, used)
		}
	}
}

// Whatever one mistypes, the checksum notices: one character, two that changed
// places, one too few or too many.
func TestFault02TyposAreNoticed(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for range 20 {
		text := newKey(t).Text()
		refuse := func(typed string) {
			if typed == text {
				return
			}
			if _, err := access.ParseKey(typed); err == nil {
				t.Errorf("%s passes for %s", typed, text)
			} else if strings.Contains(err.Error(), typed[min(13, len(typed)):]) && len(typed) > 13 {
				t.Errorf("the error repeats the secret: %v", err)
			}
		}
		for i := range len(text) {
			for _, c := range alphabet + "_- " {
				refuse(text[:i] + string(c) + text[i+1:])
			}
			refuse(text[:i] + text[i+1:])
			refuse(text[:i] + "x" + text[i:])
			if i+1 < len(text) {
				refuse(text[:i] + text[i+1:i+2] + text[i:i+1] + text[i+2:])
			}
		}
	}
	for _, text := range []string{"", "dsk_", "dsk__", "hunter2", strings.Repeat("dsk_", 13), "dsk_" + strings.Repeat("_", 48), strings.Repeat("é", 26), strings.Repeat("x", 1<<20)} {
		if _, err := access.ParseKey(text); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}

func TestKeyForm(t *testing.T) {
	key := newKey(t)
	parts := strings.Split(key.Text(), "_")
	if len(parts) != 4 || parts[0] != "dsk" || parts[1] != key.ID || len(parts[1]) != 8 || len(parts[2]) != 32 || len(parts[3]) != 6 || !access.IsKeyID(key.ID) {
		t.Errorf("%q", key.Text())
	}
	again, err := access.ParseKey(key.Text())
	if err != nil || again != key {
		t.Errorf("%v, %v", again, err)
	}
	rotated, err := access.NewKey(rand.Reader, key.ID)
	if err != nil || rotated.ID != key.ID || rotated == key {
		t.Errorf("%v, %v", rotated, err)
	}
	if _, err := access.NewKey(rand.Reader, "too-long-an-id"); err == nil {
		t.Error("any ID is taken")
	}
	for _, shown := range []string{key.String(), fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q", key, key, key, key, key)} {
		if strings.Contains(shown, parts[2]) {
			t.Errorf("printing a key shows its secret: %s", shown)
		}
	}
	if hash := access.Hash("abc"); hash != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("SHA-256 of abc is %s", hash)
	}
	token, err := access.NewSessionToken(rand.Reader)
	if err != nil || !access.IsSessionToken(token) || access.IsSessionToken(token+"x") || access.IsSessionToken(key.Text()) {
		t.Errorf("session token %q, %v", token, err)
	}
}

// Without randomness there is no key.
func TestNoRandomness(t *testing.T) {
	broken := iotest.ErrReader(errors.New("no entropy"))
	if _, err := access.NewKey(broken, ""); err == nil {
		t.Error("a key was made")
	}
	if _, err := access.NewKey(broken, "abcdEF12"); err == nil {
		t.Error("a key was made")
	}
	if _, err := access.NewSessionToken(broken); err == nil {
		t.Error("a session was made")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(newKey(f).Text())
	f.Add("dsk_00000000_00000000000000000000000000000000_000000")
	f.Add("dsk_\x00")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := access.ParseKey(text)
		if err != nil {
			return
		}
		if key.Text() != text || !access.IsKeyID(key.ID) || !strings.HasPrefix(text, access.KeyPrefix+key.ID+"_") {
			t.Errorf("%q is read as %q, %q", text, key.ID, key.Text())
		}
	})
}

// Whoever chooses the label of a key can not act in another's name.
func TestTheRecordNamesAPrincipal(t *testing.T) {
	for want, p := range map[string]access.Principal{
		"ci (key:abcdEF12)": {ID: "key:abcdEF12", Name: "ci"}, "Kim (kim@example.com) (key:abcdEF12)": {ID: "key:abcdEF12", Name: "Kim (kim@example.com)"},
		"Kim (kim@example.com)": {ID: "user:kim@example.com", Name: "Kim (kim@example.com)"}, "kim": access.Local("kim"), "key:abcdEF12": {ID: "key:abcdEF12"}, "nobody": {},
	} {
		if got := p.Actor(); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
}
