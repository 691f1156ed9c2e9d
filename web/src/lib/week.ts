/**
 * The week of a schedule as a picture that can be painted, and the periods that mean the same.
 *
 * A week is a set of minutes, Monday 00:00 first, on the wall clock of the schedule. A period with a begin and an end
 * (or neither) and plain weekdays is such a set; everything else a period can say, such as days of the month, the grid
 * can not show: `gridReason` names it, and nothing here ever changes it.
 */

export const dayMinutes = 24 * 60
export const weekMinutes = 7 * dayMinutes

/** A set of minutes of the week: 1 where it runs. */
export type Week = Uint8Array

/** A day field as the API has it: text with commas, a number, or a list of both. */
export type DayField = string | number | (string | number)[]

/** What stands below the name of a period. */
export interface PeriodSpec {
  begintime?: string
  endtime?: string
  weekdays?: DayField
  monthdays?: DayField
  months?: DayField
  on_holidays?: boolean
  description?: string
}

/** A window of one weekday; `end` may go on into the next day, up to 48:00. */
export interface Window {
  /** 0 = Monday, the day it begins on */
  day: number
  /** minutes of that day */
  begin: number
  /** minutes of that day, more than `begin`; beyond 1440 it ends on the next day */
  end: number
}

/** Why the grid can not show a period as painted time. */
export type GridReason = 'monthdays' | 'months' | 'nth-weekday' | 'open' | 'holidays' | 'fault'

const weekdayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
const shortNames = weekdayNames.map((name) => name.slice(0, 3))

export function emptyWeek(): Week {
  return new Uint8Array(weekMinutes)
}

export function copyWeek(week: Week): Week {
  return week.slice()
}

export function sameWeek(a: Week, b: Week): boolean {
  return a.every((value, minute) => value === b[minute])
}

export function weekUnion(...weeks: Week[]): Week {
  const all = emptyWeek()
  for (const week of weeks) for (let m = 0; m < weekMinutes; m++) if (week[m]) all[m] = 1
  return all
}

/** What is in `a` and not in `b`. */
export function weekWithout(a: Week, b: Week): Week {
  const rest = copyWeek(a)
  for (let m = 0; m < weekMinutes; m++) if (b[m]) rest[m] = 0
  return rest
}

export function isWithin(part: Week, whole: Week): boolean {
  return part.every((value, minute) => !value || whole[minute] === 1)
}

export function isEmpty(week: Week): boolean {
  return !week.includes(1)
}

/** Minutes that run. */
export function weekTotal(week: Week): number {
  return week.reduce((sum, value) => sum + value, 0)
}

/** Sets the minutes [from, to) of a day; what goes beyond the day goes on into the next one. */
export function paint(week: Week, day: number, from: number, to: number, on: boolean): void {
  for (let minute = from; minute < to; minute++) {
    week[(((day * dayMinutes + minute) % weekMinutes) + weekMinutes) % weekMinutes] = on ? 1 : 0
  }
}

/** Sets the same stretch on each of several days, as a rectangle drawn on the grid does. */
export function paintBlock(week: Week, days: [number, number], minutes: [number, number], on: boolean): void {
  const [first, last] = days[0] <= days[1] ? days : [days[1], days[0]]
  for (let day = first; day <= last; day++) paint(week, day, minutes[0], minutes[1], on)
}

/**
 * Fills gaps of one minute: 18:00–23:59 and 00:00–09:00 are one stretch to a schedule, as are 09:00–12:00 and 12:01–18:00.
 */
export function bridged(week: Week): Week {
  const filled = copyWeek(week)
  for (let m = 0; m < weekMinutes; m++) {
    const before = week[(m + weekMinutes - 1) % weekMinutes]
    const after = week[(m + 1) % weekMinutes]
    if (!week[m] && before && after) filled[m] = 1
  }
  return filled
}

/** `H:MM` or `HH:MM` as minutes of the day; null where it is none. 24:00 is an end only. */
export function parseClock(text: string, isEnd = false): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim())
  if (!match) return null
  const hours = Number(match[1])
  const minutes = Number(match[2])
  if (isEnd && hours === 24 && minutes === 0) return dayMinutes
  return hours < 24 && minutes < 60 ? hours * 60 + minutes : null
}

/** What people type for a time as `HH:MM`: 9 is 09:00, 930 and 9.30 are 09:30. What is none stays as it was typed. */
export function tidyClock(text: string): string {
  const match = /^(\d{1,2})(?:[:.]?(\d{2}))?$/.exec(text.trim())
  if (!match) return text
  const clock = `${(match[1] ?? '').padStart(2, '0')}:${match[2] ?? '00'}`
  return parseClock(clock, true) === null ? text : clock
}

/** Minutes of a day as `HH:MM`; those of the next day as its clock shows them. */
export function clockText(minutes: number): string {
  const shown = minutes > dayMinutes ? minutes - dayMinutes : minutes
  return `${String(Math.floor(shown / 60)).padStart(2, '0')}:${String(shown % 60).padStart(2, '0')}`
}

/**
 * Reads a weekdays field: the days it names (0 = Monday), `monthly` where it counts within a month (`mon#1`, `friL`), null
 * where it can not be read. An absent field is every day.
 */
export function parseWeekdays(field: DayField | undefined): number[] | 'monthly' | null {
  const atoms = fieldAtoms(field)
  if (atoms.length === 0) return [0, 1, 2, 3, 4, 5, 6]
  const days = new Set<number>()
  let monthly = false
  for (const atom of atoms) {
    const read = weekdayAtom(atom)
    if (read === null) return null
    if (read === 'monthly') monthly = true
    else read.forEach((day) => days.add(day))
  }
  return monthly ? 'monthly' : [...days].sort((a, b) => a - b)
}

/** The atoms of a day field; none where it is absent or empty. */
export function fieldAtoms(field: DayField | undefined): string[] {
  if (field === undefined) return []
  const items = Array.isArray(field) ? field.map(String) : [String(field)]
  const all = items.flatMap((item) => item.split(',')).map((atom) => atom.trim())
  return all.every((atom) => atom === '') ? [] : all
}

function weekdayAtom(written: string): number[] | 'monthly' | null {
  const atom = written.trim().toLowerCase()
  if (atom === '*' || atom === '?') return [0, 1, 2, 3, 4, 5, 6]
  if (atom === '^') return [0]
  if (atom === 'l') return [6]
  const nth = /^([a-z]+|\d+)#0*[1-5]$/.exec(atom)
  if (nth) return weekday(nth[1] ?? '') === null ? null : 'monthly'
  const [body = '', step, ...more] = atom.split('/')
  if (more.length > 0) return null
  const stride = step === undefined ? 1 : /^\s*\d+\s*$/.test(step) ? Number(step) : 0
  if (stride < 1) return null
  if (body.trim() === '*') return spread(0, 6, stride)
  const [from = '', to, ...rest] = body.split('-')
  if (rest.length > 0) return null
  if (to === undefined && step === undefined && /l$/.test(atom) && weekday(atom.slice(0, -1)) !== null) return 'monthly'
  const first = weekday(from.trim())
  if (first === null) return null
  if (to === undefined) return spread(first, step === undefined ? first : 6, stride)
  const last = to.trim() === 'l' ? 6 : weekday(to.trim())
  return last === null ? null : spread(first, last, stride)
}

/** first, first+step … up to last, over the end of the week where that comes before. */
function spread(first: number, last: number, step: number): number[] {
  const days: number[] = []
  for (let k = 0; k <= (last - first + 7) % 7; k += step) days.push((first + k) % 7)
  return days
}

function weekday(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text) <= 6 ? Number(text) : null
  if (text.length < 3) return null
  const day = weekdayNames.findIndex((name) => name.startsWith(text))
  return day < 0 ? null : day
}

/** Days (0 = Monday) as a weekdays field: `mon-fri`, `mon,wed`, `*`. */
export function weekdaysText(days: number[]): string {
  const sorted = [...new Set(days)].sort((a, b) => a - b)
  if (sorted.length === 7) return '*'
  const parts: string[] = []
  for (let i = 0; i < sorted.length; ) {
    let j = i
    while (j + 1 < sorted.length && sorted[j + 1] === (sorted[j] ?? 0) + 1) j++
    const first = shortNames[sorted[i] ?? 0] ?? ''
    parts.push(j > i ? `${first}-${shortNames[sorted[j] ?? 0] ?? ''}` : first)
    i = j + 1
  }
  return parts.join(',')
}

/** Why the grid can not show a period; null where it can. */
export function gridReason(period: PeriodSpec): GridReason | null {
  const days = parseWeekdays(period.weekdays)
  const begin = period.begintime ? parseClock(period.begintime) : null
  const end = period.endtime ? parseClock(period.endtime, true) : null
  if (days === null || (period.begintime && begin === null) || (period.endtime && end === null)) return 'fault'
  if (begin !== null && begin === end) return 'fault'
  if (!isEveryAtom(period.monthdays)) return 'monthdays'
  if (!isEveryAtom(period.months)) return 'months'
  if (days === 'monthly') return 'nth-weekday'
  if ((begin === null) !== (end === null)) return 'open'
  if (period.on_holidays) return 'holidays'
  return null
}

function isEveryAtom(field: DayField | undefined): boolean {
  const atoms = fieldAtoms(field)
  return atoms.length === 0 || atoms.some((atom) => atom === '*' || atom === '?')
}

/**
 * The windows of a period in a week in which all its dates match, for pictures: also of one that the grid can not show,
 * as far as its weekdays and times are known. A period with only a begin runs to the day's end; one with only an end
 * never says that something should run.
 */
export function periodWindows(period: PeriodSpec): Window[] {
  const days = parseWeekdays(period.weekdays)
  if (days === null || days === 'monthly') return []
  const begin = period.begintime ? parseClock(period.begintime) : 0
  const end = period.endtime ? parseClock(period.endtime, true) : dayMinutes
  if (begin === null || end === null || begin === end || (!period.begintime && period.endtime)) return []
  return days.map((day) => ({ day, begin, end: end > begin ? end : end + dayMinutes }))
}

/** The minutes of a period that the grid can show; of another one those of its windows. */
export function periodWeek(period: PeriodSpec): Week {
  const week = emptyWeek()
  for (const window of periodWindows(period)) paint(week, window.day, window.begin, window.end, true)
  return week
}

/** A stretch without a break; `start` is a minute of the week, `length` at most the whole week. */
export interface Run {
  start: number
  length: number
}

/** The stretches of a week, each whole even where it goes over Sunday's midnight, in the order of their starts. */
export function weekRuns(week: Week): Run[] {
  if (isEmpty(week)) return []
  const gap = week.indexOf(0)
  if (gap < 0) return [{ start: 0, length: weekMinutes }]
  const runs: Run[] = []
  let open: Run | null = null
  for (let k = 1; k <= weekMinutes; k++) {
    const minute = (gap + k) % weekMinutes
    if (week[minute]) {
      open ??= { start: minute, length: 0 }
      open.length++
    } else if (open) {
      runs.push(open)
      open = null
    }
  }
  return runs.sort((a, b) => a.start - b.start)
}

/** A time of day and how long it lasts, on some days: one period. */
interface Piece {
  day: number
  begin: number
  end: number
}

/** Both ways in which a stretch can be made of windows of at most a day; the first reads better. */
function ways(run: Run): Piece[][] {
  const day = Math.floor(run.start / dayMinutes)
  const begin = run.start % dayMinutes
  const stop = begin + run.length // on the clock of the first day, beyond 24:00 on later ones
  const atMidnight: Piece[] = []
  for (let k = 0, from = begin; from < stop; k++, from = k * dayMinutes) {
    const to = Math.min(stop, (k + 1) * dayMinutes)
    atMidnight.push({ day: (day + k) % 7, begin: from - k * dayMinutes, end: to - k * dayMinutes })
  }
  if (atMidnight.length === 1) return [atMidnight]
  const end = stop % dayMinutes
  if (run.length < dayMinutes) return [[{ day, begin, end: end + dayMinutes }], atMidnight]
  if (begin === end || begin === 0 || end === 0) return [atMidnight]
  // Days and nights: [begin, end) of each day and [end, begin) between them.
  const turns: Piece[] = []
  let at = begin
  for (let k = 0; at < stop; k++) {
    const clock = at % dayMinutes
    const until = at + (((clock === begin ? end - begin : begin - end) + dayMinutes) % dayMinutes)
    turns.push({ day: (day + Math.floor(at / dayMinutes)) % 7, begin: clock, end: clock + until - at })
    at = until
    if (k > 2 * 7) break
  }
  return [atMidnight, turns]
}

/** A period that the grid made: its times and days. */
export interface Shape {
  begin: number
  /** beyond 1440: on the next day */
  end: number
  days: number[]
}

function shapes(pieces: Piece[]): Shape[] {
  const byTimes = new Map<string, Shape>()
  for (const piece of pieces) {
    const key = `${piece.begin}-${piece.end}`
    const shape = byTimes.get(key) ?? { begin: piece.begin, end: piece.end, days: [] }
    if (!shape.days.includes(piece.day)) shape.days.push(piece.day)
    byTimes.set(key, shape)
  }
  const list = [...byTimes.values()]
  for (const shape of list) shape.days.sort((a, b) => a - b)
  return list.sort((a, b) => (a.days[0] ?? 0) - (b.days[0] ?? 0) || a.begin - b.begin || a.end - b.end)
}

/** Of more kinds of stretches than this with two ways each, the one that reads better is taken. */
const maxKinds = 10

/**
 * The fewest periods of disjoint windows that make up a week: each stretch is one window, or cut at midnights, or into
 * days and nights, whichever gives fewer periods over the whole week; of equal numbers the one that reads better.
 */
export function weekShapes(week: Week): Shape[] {
  const runs = weekRuns(week).map((run) => ({ kind: `${run.start % dayMinutes}+${run.length}`, ways: ways(run) }))
  const kinds = [...new Set(runs.filter((run) => run.ways.length > 1).map((run) => run.kind))].slice(0, maxKinds)
  let best: Shape[] | null = null
  for (let choice = 0; choice < 1 << kinds.length; choice++) {
    const pieces = runs.flatMap((run) => {
      const kind = kinds.indexOf(run.kind)
      return run.ways[kind >= 0 && choice & (1 << kind) ? 1 : 0] ?? []
    })
    const made = shapes(pieces)
    if (best === null || made.length < best.length) best = made
  }
  return best ?? []
}

/** The spec of a period that the grid made. A whole day has neither begin nor end. */
export function shapeSpec(shape: Shape): PeriodSpec {
  const weekdays = weekdaysText(shape.days)
  if (shape.begin === 0 && shape.end === dayMinutes) return { weekdays }
  const spec: PeriodSpec = { begintime: clockText(shape.begin), endtime: clockText(shape.end) }
  if (weekdays !== '*') spec.weekdays = weekdays
  return spec
}

/** A name for a period that the grid made: `mon-fri-0900-1800`, `daily-2200-0600`, `sat-sun`. */
export function shapeName(shape: Shape): string {
  const days = shape.days.length === 7 ? 'daily' : weekdaysText(shape.days).replaceAll(',', '-')
  if (shape.begin === 0 && shape.end === dayMinutes) return days === 'daily' ? 'always' : days
  return `${days}-${clockText(shape.begin).replace(':', '')}-${clockText(shape.end).replace(':', '')}`
}

/** The name itself, or with a number behind it where it is taken. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  if (!taken(name)) return name
  for (let n = 2; ; n++) if (!taken(`${name}-${n}`)) return `${name}-${n}`
}
