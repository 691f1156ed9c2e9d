package fleet

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseAccountID(t *testing.T) {
	if id, err := ParseAccountID("012345678901"); err != nil || id != "012345678901" {
		t.Errorf("twelve digits: %q, %v", id, err)
	}
	for _, text := range []string{"", "12345678901", "1234567890123", "12345678901a", " 111122223333", "１１１１２２２２３３３３"} {
		if _, err := ParseAccountID(text); err == nil || !strings.Contains(err.Error(), "twelve digits") {
			t.Errorf("%q: got %v, want a refusal that says what is allowed", text, err)
		}
	}
}

func TestParseRegion(t *testing.T) {
	partitions := map[string]Partition{
		"us-east-1": AWS, "ap-northeast-2": AWS, "cn-north-1": AWSChina, "cn-northwest-1": AWSChina,
		"us-gov-west-1": AWSGov, "il-central-1": AWS, "ap-southeast-7": AWS,
	}
	for text, want := range partitions {
		region, err := ParseRegion(text)
		if err != nil || region.Partition() != want {
			t.Errorf("%s: %v, partition %s, want %s", text, err, region.Partition(), want)
		}
	}
	for _, text := range []string{"", "us-east", "US-EAST-1", "us-east-1a", "useast1", "us-east-123", "x", strings.Repeat("a", 99)} {
		if _, err := ParseRegion(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestRefRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := drawRef(t)
		again, err := ParseRef(ref.String())
		if err != nil || again != ref {
			t.Fatalf("%s: %v, %v", ref, again, err)
		}
	})
	for _, text := range []string{"", "a/b/c/d", "111122223333/us-east-1/ec2_instance", "111122223333/us-east-1//i-1", "111122223333/us-east-1/ec2_instance/"} {
		if _, err := ParseRef(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v, want a refusal that quotes it", text, err)
		}
	}
}

func drawRef(t *rapid.T) Ref {
	return Ref{
		Scope: Scope{AccountID(rapid.StringMatching(`[0-9]{12}`).Draw(t, "account")), Region(rapid.SampledFrom([]string{"us-east-1", "cn-north-1"}).Draw(t, "region"))},
		Kind:  rapid.SampledFrom(Kinds).Draw(t, "kind"),
		ID:    rapid.StringMatching(`[a-z/][a-z0-9/-]{0,20}`).Draw(t, "id"),
	}
}

func TestRefCompareIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs := rapid.SliceOfN(rapid.Custom(drawRef), 0, 20).Draw(t, "refs")
		slices.SortFunc(refs, Ref.Compare)
		for i := 1; i < len(refs); i++ {
			if refs[i-1].Compare(refs[i]) > 0 || refs[i].Compare(refs[i-1]) < 0 {
				t.Fatalf("%s and %s", refs[i-1], refs[i])
			}
			if (refs[i-1].Compare(refs[i]) == 0) != (refs[i-1] == refs[i]) {
				t.Fatalf("equal in order only: %s and %s", refs[i-1], refs[i])
			}
		}
	})
}

// The hash decides where in a jitter a resource stands: it must never change.
func TestRefHashIsForEver(t *testing.T) {
	ref := Ref{Scope: Scope{"111122223333", "ap-northeast-2"}, Kind: EC2Instance, ID: "i-0123456789abcdef0"}
	const want = 0x343c4889d2388435
	if got := ref.Hash(); got != want {
		t.Errorf("got %#x, want %#x", got, uint64(want))
	}
	moved := ref
	moved.Scope.Region, moved.Kind = "ap-northeast-2ec2", "_instance"
	if moved.Hash() == ref.Hash() {
		t.Error("the border between two parts does not count")
	}
}
