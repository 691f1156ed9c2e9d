package chatbot

import (
	"fmt"
	"strings"
	"testing"

	"dayshift/internal/golden"
	"dayshift/internal/say"
)

const pageHead = `# Commands in rooms

<!-- Generated from internal/chatbot by go test ./internal/chatbot -run TestPage -update. Do not edit. -->

One grammar for every chat system, in English, Chinese and Korean. The word that calls the bot stands before it, as the chat
system has it: ` + "`/dayshift status`, `/서버 status`, `@dayshift status`" + `. The command may stand first or behind the name, in Korean
also last; small and capital letters are alike. NAME is a schedule, a workload or a resource (its name, ID, ARN or
account/region/kind/id), in this order; ` + "`schedule:NAME`, `workload:NAME` and `resource:NAME`" + ` say which. With blanks in it, it stands in
quotation marks. The answer is in the language of the person in the configuration, else in the one that the chat system says,
the chat's own, or that of the words.

`

const pageTail = `
## Times

| what | English | 中文 | 한국어 |
| --- | --- | --- | --- |
| how long | ` + "`for 2h`, `90m`, `1 hour 30 minutes` | `2小时`, `1小时30分钟` | `2시간`, `2시간 동안`, `90분`" + ` |
| until a time of day, the next one on the schedule's clock | ` + "`until 22:00`, `until 10pm` | `到 22:00`, `到 下午 10点` | `22:00까지`, `22시까지`, `오후 10시까지`" + ` |
| on another day | ` + "`until tomorrow 09:00`, `until 2027-02-05 09:00` | `到 明天 09:00` | `내일 09:00까지`" + ` |
| until an instant | ` + "`until 2027-02-05T22:00:00+09:00`" + ` | likewise | likewise |
| until the schedule wants the opposite | ` + "`until next` | `到 下次` | `다음까지`" + ` |
| a date | ` + "`2027-02-05`, `today`, `tomorrow` | `2027年2月5日`, `今天`, `明天` | `2027년2월5일`, `오늘`, `내일`" + ` |
| why, for the record | ` + "`because …` | `因为 …` | `이유 …`" + ` |

## As in the Jandi bot

Commands of aws-instance-scheduler-jandi work as they stand, the name first: ` + "`NAME status`, `NAME info [DATE]`, `NAME exception info [DATE]`, " +
	"`NAME exception set DATE start|stop H:MM|None`, `NAME exception del DATE start|stop`, `NAME force_start`, `NAME force_stop`, `help`" + `, and the
short forms ` + "`s i e`, `e i`, `e s`, `e d`" + `. What differs: a forced start lasts until the next stop of the schedule, a day that is over and
anything but start and stop are refused, and an exception on a day off starts what it says.

## What is answered

* ` + "`wake`, `keep` and `force_start`" + ` answer until when it is kept, who decided it, what is done now and what follows at the end. They add to an
  override that is there on the very same target, and never cut one short: a button that is pressed twice changes nothing.
* How long a start takes is the middle of the last five that the record has, from the first call that was accepted to the last
  resource that was seen running. Where it has none, the answer says so.
* A second message follows once all of it runs and its status checks have passed, where it has such. What is not ready after three
  times as long as expected (10 minutes at least, an hour at most; 20 minutes where nothing is expected) is named with why, and no more
  is told. What is waited for is kept in the store: after a restart it is told in the chat's channel. A process that ends
  between taking it and posting it tells nothing.
* ` + "`skip`" + ` is the button "not today" of a warning: the stop of today is left out, by an override until the schedule starts it again. On a day to
  come it is an exception of the schedule, "stop none", which editors may set.
* ` + "`exception set`" + ` tells what will happen on that day. It is refused for days that are over, and for exceptions of the file.
* What is no command is answered with the nearest one and an example that works.

## Who may, and the record

Commands that ask need the permission to read, ` + "`wake`, `keep`, `sleep`, `skip`, `release` and `workload start|stop`" + ` that to act, exceptions that to edit
([roles](access.md)). Who is bound to a filter sees and does nothing outside of it. Overrides have the [limits](configuration.md#overrides) that they have everywhere.

Where the chat system does not sign what it posts (Jandi's token is no signature), what changes something is done once it is confirmed,
with a word that is good once, for two minutes, in the same room and for the same person. Where the chat has a channel, the word is
posted there and not in the answer: who has the token alone can not read it. Words are kept in memory; after a restart the command is written again.

Every command is in the activity as ` + "`chat`" + `, with who wrote it, where, and the first line of the answer; refused ones are there as ` + "`refused`" + `, many
alike as a sum.
`

// TestPage holds the page of commands to the grammar.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(pageHead + "| English | 中文 | 한국어 | what it does |\n| --- | --- | --- | --- |\n")
	cell := func(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }
	for _, verb := range Verbs {
		for _, l := range say.Languages {
			fmt.Fprintf(&b, "| %s ", cell(form(verb, l)))
			if c := example(verb, "office"); c.Verb == verb {
				if again, err := Parse(c.In(l)); err != nil || again.Verb != verb {
					t.Errorf("%s: %v", c.In(l), err)
				}
			}
		}
		fmt.Fprintf(&b, "| %s |\n", meaning(verb))
	}
	b.WriteString("\n## Other words for the same\n\n| word | English | 中文 | 한국어 |\n| --- | --- | --- | --- |\n")
	row := func(first string, words synonyms) {
		fmt.Fprintf(&b, "| %s ", cell(first))
		for _, l := range say.Languages {
			var list []string
			for _, word := range words[l] {
				list = append(list, cell(word))
			}
			fmt.Fprintf(&b, "| %s ", strings.Join(list, ", "))
		}
		b.WriteString("|\n")
	}
	for i := range verbWords {
		row(string(verbWords[i].verb), verbWords[i].words)
	}
	for i := range subWords {
		row(string(subWords[i].verb), subWords[i].words)
	}
	b.WriteString(pageTail)
	golden.Check(t, "../../docs/chat-commands.md", b.String(), "go test ./internal/chatbot -run TestPage -update")
}

// TestWords holds that no word stands for two things in one place.
func TestWords(t *testing.T) {
	seen := map[string]Verb{}
	for i := range verbWords {
		for _, l := range say.Languages {
			for _, word := range verbWords[i].words[l] {
				if other, twice := seen[word]; twice {
					t.Errorf("%q stands for %s and %s", word, other, verbWords[i].verb)
				}
				seen[word] = verbWords[i].verb
				if key := (token{text: word}).key(); key != word {
					t.Errorf("%q is compared as %q", word, key)
				}
			}
		}
	}
	for _, verb := range Verbs {
		if meaning(verb).Empty() {
			t.Errorf("%s has no meaning", verb)
		}
		if _, asks := permissions[verb]; !asks && verb != WhoAmI && verb != Confirm {
			t.Errorf("%s asks for no permission", verb)
		}
	}
}
