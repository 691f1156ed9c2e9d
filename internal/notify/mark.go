package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dayshift/internal/store"
)

// LetterMark is what there is to count of a letter.
type LetterMark struct {
	Channel string      `json:"channel"`
	State   LetterState `json:"state"`
	Settled time.Time   `json:"settled"`
}

// EachMark calls each for the letters of the store. It reads no notices: with thousands of letters that is most of the work.
func EachMark(ctx context.Context, from store.Records, each func(LetterMark)) error {
	before := ""
	for {
		records, err := from.Records(ctx, store.RecordQuery{Kind: store.MessageLetter, Before: before, Last: true, Limit: letterPage})
		if err != nil {
			return fmt.Errorf("read the messages: %w", err)
		}
		for i := range records {
			var mark LetterMark
			if json.Unmarshal(records[i].Data, &mark) == nil {
				each(mark)
			}
		}
		if len(records) < letterPage {
			return nil
		}
		before = records[0].Name
	}
}
