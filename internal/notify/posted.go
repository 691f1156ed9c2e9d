package notify

import (
	"encoding/json"
	"maps"
)

// Previewer is a Sender that can show what it would post.
type Previewer interface {
	// Posted is what is posted of a message, as JSON; without a signature, which would let somebody else post it.
	Posted(m Message) ([]byte, error)
}

var _ Previewer = (*Room)(nil)

// signed are the fields of rooms that stand for the right to post.
var signed = map[string]bool{"sign": true, "timestamp": true}

// Posted implements Previewer.
func (r *Room) Posted(m Message) ([]byte, error) {
	content, err := json.Marshal(r.render(m).Content)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(content, &fields) // what is no object has none
	if _, has := fields["sign"]; !has {
		return content, nil
	}
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return signed[name] })
	return json.Marshal(fields)
}
