package awssim

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// restType is the content type of services in REST.
const restType = "application/json"

// at says under which method and path a service in REST has the action, such as
// POST /clusters/{name}/updates; what stands in braces is a parameter.
func (a *action) at(route string) *action {
	a.route = route
	return a
}

// withPayload marks an action whose request carries what it is given to pass on.
func (a *action) withPayload() *action {
	a.payload = true
	return a
}

// fits reports whether a request is one of the action, and gives the parameters
// in its path.
func (a *action) fits(method string, path []string) (map[string]string, bool) {
	want, pattern, _ := strings.Cut(a.route, " ")
	parts := strings.Split(pattern, "/")
	if strings.HasSuffix(pattern, "/") && len(path) == len(parts)-1 { // some clients leave it out
		parts = parts[:len(parts)-1]
	}
	if method != want || len(parts) != len(path) {
		return nil, false
	}
	vars := map[string]string{}
	for i, part := range parts {
		name, open := strings.CutPrefix(part, "{")
		switch {
		case open && path[i] == "":
			return nil, false
		case open:
			vars[strings.TrimSuffix(name, "}")] = path[i]
		case part != path[i]:
			return nil, false
		}
	}
	return vars, true
}

// restForm makes Query parameters of a request in REST, so that all protocols
// share what comes after: of its path, of its query, whose lists repeat a name,
// and of its body. A request of no action is named by its method and path.
func (s *service) restForm(r *http.Request, query url.Values, body []byte) (url.Values, *Error) {
	form := url.Values{}
	path := strings.Split(r.URL.EscapedPath(), "/")
	for i := range path {
		var err error
		if path[i], err = url.PathUnescape(path[i]); err != nil {
			return form, refuse("InvalidParameterValue", "The path %s is not well encoded.", r.URL.EscapedPath())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.actions)) {
		act := s.actions[name]
		vars, fits := act.fits(r.Method, path)
		if !fits {
			continue
		}
		if act.payload {
			form.Set("Payload", string(body))
			if kind := r.Header.Get("X-Amz-Invocation-Type"); kind != "" {
				form.Set("InvocationType", kind)
			}
		} else if len(body) > 0 {
			var err error
			if form, err = flatten(body); err != nil {
				return url.Values{}, refuse("SerializationException", "The request body is %v.", err)
			}
			act.listMaps(form)
		}
		for key, values := range query {
			if !act.takes[key+".N"] {
				form[key] = values
				continue
			}
			for i, value := range values {
				form.Set(key+"."+strconv.Itoa(i+1), value)
			}
		}
		for key, value := range vars {
			form.Set(key, value)
		}
		form.Set("Action", name)
		return form, nil
	}
	form.Set("Action", r.Method+" "+r.URL.Path)
	return form, nil
}

// listMaps writes a map of the body, whose keys may hold anything, as a list of
// keys and values, where the action takes one: tags.Team=a becomes tags.1.key=Team.
func (a *action) listMaps(form url.Values) {
	for t := range a.takes {
		name, isMap := strings.CutSuffix(t, ".N.key")
		if !isMap {
			continue
		}
		listed := url.Values{}
		for _, key := range slices.Sorted(maps.Keys(form)) {
			if inner, found := strings.CutPrefix(key, name+"."); found {
				at := name + "." + strconv.Itoa(len(listed)/2+1)
				listed[at+".key"], listed[at+".value"] = []string{inner}, form[key]
				form.Del(key)
			}
		}
		maps.Copy(form, listed)
	}
}

// restStatus lists the codes that services in REST do not send as 400.
var restStatus = map[string]int{
	"AccessDeniedException":       http.StatusForbidden,
	"ExpiredTokenException":       http.StatusForbidden,
	"NotFoundException":           http.StatusNotFound,
	"ResourceInUseException":      http.StatusConflict,
	"ResourceNotFoundException":   http.StatusNotFound,
	"ServerException":             http.StatusInternalServerError,
	"ServiceUnavailableException": http.StatusServiceUnavailable,
	"ThrottlingException":         http.StatusTooManyRequests,
	"UnknownOperationException":   http.StatusNotFound,
	"UnrecognizedClientException": http.StatusForbidden,
}
