package holiday

import (
	"regexp"
	"strings"
	"time"
)

// weekdayWords finds a weekday's name in English (three letters or more of it), Chinese and Korean, with the word before it
// that makes it the one a day counts as, and in Chinese what may stand between the two, the date that is made up for:
// 补10月8日周四. Group 1 is that word, groups 2, 3 and 5 are the name; group 4 makes 周一次, "once a week", none.
var weekdayWords = regexp.MustCompile(`(?i)(?:(\bas(?:\s+a)?\s|\bfor\s|按照?|补|補|代|调|調)\s*[(（]?\s*(?:\d{1,2}月\d{1,2}[日号號])?\s*[(（]?\s*)?` +
	`(?:\b([a-z]{3,9})\b|(?:周|週|星期|礼拜|禮拜)([一二三四五六日天])([次个個年])?|([월화수목금토일])요일)`)

// weekdaysOf are the names by the groups of weekdayWords, Sunday first as in package time.
var weekdaysOf = []struct {
	group int
	names []string
}{
	{2, []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}},
	{3, []string{"日天", "一", "二", "三", "四", "五", "六"}},
	{5, []string{"일", "월", "화", "수", "목", "금", "토"}},
}

// countsAs gives the weekday that a make-up day of this name counts as: the one that the name says it stands for ("as
// Thursday", 补周四) or, without such a word, the only one that it names. Its own weekday is none: 周六补班 tells when it is.
// Where that leaves none or several, the name says nothing and the answer is empty.
func countsAs(summary string, own time.Weekday) string {
	var said, named [7]bool
	for _, m := range weekdayWords.FindAllStringSubmatch(summary, -1) {
		day, ok := weekdayIn(m)
		if !ok {
			continue
		}
		named[day] = true
		if m[1] != "" {
			said[day] = true
		}
	}
	if as, ok := single(said, own); ok {
		return as
	}
	// Two weekdays without such a word are when it takes place, 周六、周日补班, or nobody knows which.
	if as, ok := single(named, -1); ok && as != short(own) {
		return as
	}
	return ""
}

func weekdayIn(m []string) (time.Weekday, bool) {
	if m[4] != "" {
		return 0, false
	}
	for _, w := range weekdaysOf {
		word := strings.ToLower(m[w.group])
		for day, name := range w.names {
			if word != "" && (w.group == 2 && strings.HasPrefix(name, word) || w.group != 2 && strings.Contains(name, word)) {
				return time.Weekday(day), true
			}
		}
	}
	return 0, false
}

// single gives the only weekday of a set, but for one.
func single(set [7]bool, but time.Weekday) (string, bool) {
	name, n := "", 0
	for day, in := range set {
		if in && time.Weekday(day) != but {
			name, n = short(time.Weekday(day)), n+1
		}
	}
	return name, n == 1
}

// short is a weekday as configurations write it.
func short(day time.Weekday) string { return strings.ToLower(day.String()[:3]) }
