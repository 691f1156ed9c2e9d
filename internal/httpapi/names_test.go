package httpapi

import (
	"net/url"
	"strings"
	"testing"

	"dayshift/internal/service"
	"dayshift/internal/store"
)

// TestByName: what a person names is found by its name; for whoever is bound to
// a filter nothing is found that way which they may not see.
func TestByName(t *testing.T) {
	h := newHouse(t, Options{})
	const admin, shop = "admin", "shop admin"
	for _, name := range []string{"hidden-name", "shop-api"} {
		h.get(ask{method: "POST", path: base + "/overrides", as: admin, body: `{"target":"resource:` + name + `","state":"running","for":"2h"}`}, 201, nil)
	}

	var one service.OverrideAnswer
	for _, target := range []string{"shop-api", "resource:shop-api", "i-0shop1", "111122223333/ap-northeast-2/ec2_instance/i-0shop1"} {
		path := base + "/overrides/" + url.PathEscape(target)
		h.get(ask{path: path, as: admin}, 200, &one)
		if !strings.HasSuffix(one.Override.Target, "/i-0shop1") {
			t.Errorf("%s: %+v", target, one.Override)
		}
		h.refused(ask{path: path, as: shop}, 404, notFound)
		h.refused(ask{method: "DELETE", path: path, as: shop}, 404, notFound)
	}
	h.refused(ask{path: base + "/overrides/nobody", as: admin}, 422, invalid)
	h.refused(ask{path: base + "/overrides/o-20270205-0000", as: admin}, 404, notFound)

	var explained []service.Explanation
	h.get(ask{path: base + "/explain?target=shop-api", as: shop}, 200, &explained)
	if len(explained) != 1 || explained[0].ID != "i-0shop1" {
		t.Errorf("%+v", explained)
	}
	// Not even by a name that is nearly that of something hidden.
	if p := h.refused(ask{path: base + "/explain?target=hidden-nam", as: shop}, 404, notFound); strings.Contains(p.Detail.String(), `"hidden-name"`) {
		t.Error(p.Detail)
	}

	var rows ActivityList
	for about, want := range map[string]string{"shop-api": "shop row", "i-0shop1": "shop row", "hidden-schedule": "hidden row", "shop": ""} {
		h.get(ask{path: base + "/activity?event=stopped&about=" + about, as: admin}, 200, &rows)
		if want == "" && len(rows.Items) > 0 || want != "" && (len(rows.Items) != 1 || rows.Items[0].Detail != want || rows.Items[0].Event != store.EventStopped) || rows.Total != 0 {
			t.Errorf("about %s: %+v", about, rows)
		}
	}
	h.get(ask{path: base + "/activity?about=hidden-schedule", as: shop}, 200, &rows)
	if len(rows.Items) != 0 {
		t.Errorf("of what is hidden: %+v", rows.Items)
	}

	h.refused(ask{method: "DELETE", path: base + "/overrides", as: shop}, 403, outside)
	h.refused(ask{method: "DELETE", path: base + "/overrides", as: "viewer"}, 403, forbidden)
	var cleared service.ClearedOverrides
	h.get(ask{method: "DELETE", path: base + "/overrides?dry_run=true", as: admin}, 200, &cleared)
	var held service.OverrideList
	h.get(ask{path: base + "/overrides", as: admin}, 200, &held)
	if len(cleared.Cleared) != 2 || len(held.Overrides) != 2 {
		t.Errorf("a dry run: %d of %d", len(cleared.Cleared), len(held.Overrides))
	}
	h.get(ask{method: "DELETE", path: base + "/overrides", as: admin}, 200, &cleared)
	h.get(ask{path: base + "/overrides", as: admin}, 200, &held)
	if len(cleared.Cleared) != 2 || len(held.Overrides) != 0 {
		t.Errorf("cleared %d, left %d", len(cleared.Cleared), len(held.Overrides))
	}
}
