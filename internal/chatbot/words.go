package chatbot

import (
	"slices"
	"strings"

	"dayshift/internal/say"
)

// Verb is what a command asks for.
type Verb string

// The verbs. Those of an exception and of a workload have two words.
const (
	Help            Verb = "help"
	Status          Verb = "status"
	Info            Verb = "info"
	Why             Verb = "why"
	List            Verb = "list"
	WhoAmI          Verb = "whoami"
	Wake            Verb = "wake"
	Keep            Verb = "keep"
	Sleep           Verb = "sleep"
	Skip            Verb = "skip"
	Release         Verb = "release"
	ExceptionInfo   Verb = "exception info"
	ExceptionSet    Verb = "exception set"
	ExceptionDelete Verb = "exception del"
	WorkloadStatus  Verb = "workload status"
	WorkloadStart   Verb = "workload start"
	WorkloadStop    Verb = "workload stop"
	Confirm         Verb = "confirm"
)

// Verbs are all of them, in the order in which help tells them.
var Verbs = []Verb{
	Status, Info, Why, List, Wake, Keep, Sleep, Skip, Release, ExceptionInfo, ExceptionSet, ExceptionDelete,
	WorkloadStatus, WorkloadStart, WorkloadStop, WhoAmI, Confirm, Help,
}

// The groups of verbs with two words.
const (
	exceptions Verb = "exception"
	workloads  Verb = "workload"
)

// synonyms are the words of a meaning in each language. The first is the one that help shows.
type synonyms map[say.Language][]string

// verbWords are what can stand for a verb, or for the first word of one with two.
var verbWords = []struct {
	verb  Verb
	words synonyms
}{
	{Help, synonyms{say.English: {"help", "h", "?"}, say.Chinese: {"帮助", "说明"}, say.Korean: {"도움말", "도움"}}},
	{Status, synonyms{say.English: {"status", "s", "state"}, say.Chinese: {"状态", "情况"}, say.Korean: {"상태", "현황"}}},
	{Info, synonyms{say.English: {"info", "i"}, say.Chinese: {"日程", "信息", "安排"}, say.Korean: {"일정", "정보"}}},
	{Why, synonyms{say.English: {"why", "explain"}, say.Chinese: {"为什么", "为何", "原因"}, say.Korean: {"왜", "이유"}}},
	{List, synonyms{say.English: {"list", "ls", "l"}, say.Chinese: {"列表", "列出"}, say.Korean: {"목록", "리스트"}}},
	{WhoAmI, synonyms{say.English: {"whoami", "me"}, say.Chinese: {"我是谁"}, say.Korean: {"내정보", "나"}}},
	{Wake, synonyms{
		say.English: {"wake", "force_start", "start", "force-start", "on"}, say.Chinese: {"唤醒", "启动", "开机", "强制启动"},
		say.Korean: {"켜기", "켜", "켜줘", "깨워", "깨워줘", "시작", "강제실행", "강제시작"},
	}},
	{Keep, synonyms{say.English: {"keep", "extend", "stay"}, say.Chinese: {"保持", "延长", "继续"}, say.Korean: {"유지", "유지해", "유지해줘", "연장"}}},
	{Sleep, synonyms{
		say.English: {"sleep", "force_stop", "stop", "force-stop", "off"}, say.Chinese: {"休眠", "停止", "关机", "关闭", "强制停止"},
		say.Korean: {"끄기", "꺼", "꺼줘", "중지", "종료", "강제중지"},
	}},
	{Skip, synonyms{say.English: {"skip", "not-today"}, say.Chinese: {"跳过", "今天不停"}, say.Korean: {"건너뛰기", "건너뛰어"}}},
	{Release, synonyms{say.English: {"release", "clear"}, say.Chinese: {"解除", "取消"}, say.Korean: {"해제", "취소"}}},
	{exceptions, synonyms{say.English: {"exception", "e"}, say.Chinese: {"例外"}, say.Korean: {"예외"}}},
	{workloads, synonyms{say.English: {"workload", "w"}, say.Chinese: {"工作负载"}, say.Korean: {"워크로드"}}},
	{Confirm, synonyms{say.English: {"confirm"}, say.Chinese: {"确认"}, say.Korean: {"확인"}}},
}

// subWords are the second words of verbs with two.
var subWords = []struct {
	verb  Verb
	words synonyms
}{
	{ExceptionInfo, synonyms{say.English: {"info", "i"}, say.Chinese: {"查看", "信息", "查询"}, say.Korean: {"조회", "정보"}}},
	{ExceptionSet, synonyms{say.English: {"set", "s", "add"}, say.Chinese: {"设置", "添加"}, say.Korean: {"설정", "추가"}}},
	{ExceptionDelete, synonyms{say.English: {"del", "d", "delete", "rm"}, say.Chinese: {"删除"}, say.Korean: {"삭제"}}},
	{WorkloadStatus, synonyms{say.English: {"status", "s"}, say.Chinese: {"状态"}, say.Korean: {"상태"}}},
	{WorkloadStart, synonyms{say.English: {"start", "wake"}, say.Chinese: {"启动"}, say.Korean: {"시작"}}},
	{WorkloadStop, synonyms{say.English: {"stop", "sleep"}, say.Chinese: {"停止"}, say.Korean: {"중지"}}},
}

// detail is a word beside a verb.
type detail string

const (
	dateToday     detail = "today"
	dateTomorrow  detail = "tomorrow"
	wordFor       detail = "for"
	wordUntil     detail = "until"
	wordNext      detail = "next"
	wordOn        detail = "on"
	wordBecause   detail = "because"
	boundaryStart detail = "start"
	boundaryStop  detail = "stop"
	valueNone     detail = "none"
)

var detailWords = []struct {
	detail detail
	words  synonyms
}{
	{dateToday, synonyms{say.English: {"today"}, say.Chinese: {"今天", "今日"}, say.Korean: {"오늘"}}},
	{dateTomorrow, synonyms{say.English: {"tomorrow"}, say.Chinese: {"明天", "明日"}, say.Korean: {"내일"}}},
	{wordFor, synonyms{say.English: {"for"}, say.Korean: {"동안"}}},
	{wordUntil, synonyms{say.English: {"until", "till", "til", "to"}, say.Chinese: {"到", "直到", "至"}, say.Korean: {"까지"}}},
	{wordNext, synonyms{say.English: {"next"}, say.Chinese: {"下次"}, say.Korean: {"다음"}}},
	{wordOn, synonyms{say.English: {"on", "at"}}},
	{wordBecause, synonyms{say.English: {"because", "reason"}, say.Chinese: {"因为", "原因"}, say.Korean: {"이유"}}},
	{boundaryStart, synonyms{say.English: {"start", "begin"}, say.Chinese: {"启动", "开始"}, say.Korean: {"시작"}}},
	{boundaryStop, synonyms{say.English: {"stop", "end"}, say.Chinese: {"停止", "结束"}, say.Korean: {"중지", "종료"}}},
	{valueNone, synonyms{say.English: {"none"}, say.Chinese: {"无"}, say.Korean: {"없음"}}},
}

// find finds a word among synonyms, and the language it is of.
func (s synonyms) find(word string) (say.Language, bool) {
	for _, l := range say.Languages {
		if slices.Contains(s[l], word) {
			return l, true
		}
	}
	return "", false
}

// in is the word that help shows.
func (s synonyms) in(l say.Language) string {
	if len(s[l]) == 0 {
		l = say.English
	}
	return s[l][0]
}

func verbOf(word string) (Verb, say.Language, bool) {
	for i := range verbWords {
		if l, is := verbWords[i].words.find(word); is {
			return verbWords[i].verb, l, true
		}
	}
	return "", "", false
}

// subOf finds the verb of a group by its second word.
func subOf(group Verb, word string) (Verb, say.Language, bool) {
	for i := range subWords {
		if !strings.HasPrefix(string(subWords[i].verb), string(group)+" ") {
			continue
		}
		if l, is := subWords[i].words.find(word); is {
			return subWords[i].verb, l, true
		}
	}
	return "", "", false
}

func detailOf(word string, among ...detail) (detail, say.Language, bool) {
	for i := range detailWords {
		if !slices.Contains(among, detailWords[i].detail) {
			continue
		}
		if l, is := detailWords[i].words.find(word); is {
			return detailWords[i].detail, l, true
		}
	}
	return "", "", false
}

// group is the first word of a verb, second the other one; empty where it has one.
func (v Verb) group() (first, second Verb) {
	before, _, two := strings.Cut(string(v), " ")
	if !two {
		return v, ""
	}
	return Verb(before), v
}

// In is the verb in the words of a language.
func (v Verb) In(l say.Language) string {
	first, second := v.group()
	text := string(first)
	for i := range verbWords {
		if verbWords[i].verb == first {
			text = verbWords[i].words.in(l)
		}
	}
	for i := range subWords {
		if subWords[i].verb == second {
			text += " " + subWords[i].words.in(l)
		}
	}
	return text
}

// in is a detail in the word of a language.
func (d detail) in(l say.Language) string {
	for i := range detailWords {
		if detailWords[i].detail == d {
			return detailWords[i].words.in(l)
		}
	}
	return string(d)
}

// vocabulary is every word that can begin a command, for what was mistyped.
func vocabulary() (list []string) {
	for i := range verbWords {
		for _, l := range say.Languages {
			for _, word := range verbWords[i].words[l] {
				if len(word) > 2 { // of one letter anything is a slip
					list = append(list, word)
				}
			}
		}
	}
	return list
}
