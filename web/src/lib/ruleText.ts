/**
 * The texts of a rule taken apart for a form and put together again. Only what the form needs is read here; whether a
 * text is in order, and what it means, the server says.
 */

/** One `key=value` of a filter. */
export interface FilterTerm {
  /** one of filterKeys, or `tag` */
  key: string
  /** the key of the tag, where key is `tag` */
  tag: string
  /** as it is written, escapes included */
  value: string
}

/** What a filter can look at; `tag` stands for any tag. */
export const filterKeys = [
  'tag',
  'name',
  'instance-id',
  'instance-type',
  'instance-state-name',
  'resource-type',
  'availability-zone',
  'vpc-id',
  'subnet-id',
  'private-ip-address',
  'account',
  'region',
  'arn',
] as const

/** Reads a filter into rows; null where rows can not hold it, so that nothing is lost. */
export function parseFilter(text: string): FilterTerm[] | null {
  if (text.trim() === '') return []
  const terms: FilterTerm[] = []
  for (const part of splitTerms(text)) {
    const at = keyEnd(part)
    if (at < 0) return null
    const key = part.slice(0, at).trim()
    const value = trimmed(part.slice(at + 1))
    if (key.startsWith('tag:')) terms.push({ key: 'tag', tag: key.slice(4), value })
    else if (key !== 'tag' && (filterKeys as readonly string[]).includes(key)) terms.push({ key, tag: '', value })
    else return null
  }
  return terms
}

/** Cuts at commas that no backslash stands before. */
function splitTerms(text: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === '\\') part += char + text.charAt(++i)
    else if (char === ',') {
      parts.push(part)
      part = ''
    } else part += char
  }
  parts.push(part)
  return parts
}

/** Without the blanks at its ends, but for one that a backslash keeps. */
function trimmed(text: string): string {
  const value = text.trim()
  return text.length > value.length && /(^|[^\\])(\\\\)*\\$/.test(value) ? `${value} ` : value
}

function keyEnd(part: string): number {
  for (let i = 0; i < part.length; i++) {
    if (part.charAt(i) === '\\') i++
    else if (part.charAt(i) === '=') return i
  }
  return -1
}

/** Rows as the text of a filter; rows that are still empty are left out. */
export function filterText(terms: FilterTerm[]): string {
  return terms
    .filter((term) => term.value !== '' || term.tag !== '')
    .map((term) => `${term.key === 'tag' ? `tag:${term.tag}` : term.key}=${term.value}`)
    .join(',')
}

/** Expressions that the form can make without knowing cron. */
export type ExpressionForm =
  | { form: 'days'; time: string; days: number[] }
  | { form: 'monthly'; time: string; day: string }
  | { form: 'rate'; every: number; unit: 'minutes' | 'hours' | 'days' }
  | { form: 'once'; date: string; time: string }
  | { form: 'text'; text: string }

const cronDays = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN']

/** Writes an expression. Days are 0 = Monday; none of them or all seven: every day. */
export function expressionText(form: ExpressionForm): string {
  switch (form.form) {
    case 'days': {
      const [hour, minute] = clockParts(form.time)
      if (form.days.length === 0 || form.days.length === 7) return `cron(${minute} ${hour} * * ? *)`
      return `cron(${minute} ${hour} ? * ${cronDayText(form.days)} *)`
    }
    case 'monthly': {
      const [hour, minute] = clockParts(form.time)
      return `cron(${minute} ${hour} ${form.day} * ? *)`
    }
    case 'rate':
      return `rate(${form.every} ${form.every === 1 ? form.unit.slice(0, -1) : form.unit})`
    case 'once':
      return `at(${form.date}T${form.time}:00)`
    case 'text':
      return form.text
  }
}

function clockParts(time: string): [number, number] {
  const [hour, minute] = time.split(':').map(Number)
  return [hour ?? 0, minute ?? 0]
}

function cronDayText(days: number[]): string {
  const sorted = [...new Set(days)].sort((a, b) => a - b)
  const first = sorted[0] ?? 0
  const last = sorted.at(-1) ?? 0
  if (sorted.length > 2 && last - first === sorted.length - 1) return `${cronDays[first] ?? ''}-${cronDays[last] ?? ''}`
  return sorted.map((day) => cronDays[day] ?? '').join(',')
}

/** Recognises what the form can make; everything else stays text. */
export function parseExpression(text: string): ExpressionForm {
  const trimmed = text.trim()
  const asText: ExpressionForm = { form: 'text', text }
  const rate = /^rate\((\d{1,5}) (minute|hour|day)s?\)$/.exec(trimmed)
  if (rate) return { form: 'rate', every: Number(rate[1]), unit: `${rate[2] ?? ''}s` as 'minutes' | 'hours' | 'days' }
  const once = /^at\((\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):00\)$/.exec(trimmed)
  if (once) return { form: 'once', date: once[1] ?? '', time: once[2] ?? '' }
  const cron = /^cron\((\d{1,2}) (\d{1,2}) (\S+) \* (\S+) \*\)$/.exec(trimmed)
  if (!cron) return asText
  const [, minute = '', hour = '', day = '', weekday = ''] = cron
  if (Number(minute) > 59 || Number(hour) > 23) return asText
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`
  if (weekday === '?') {
    if (day === '*') return { form: 'days', time, days: [0, 1, 2, 3, 4, 5, 6] }
    return /^([1-9]|[12]\d|3[01]|L)$/.test(day) ? { form: 'monthly', time, day } : asText
  }
  if (day !== '?') return asText
  const days = cronDaySet(weekday.toUpperCase())
  return days ? { form: 'days', time, days } : asText
}

function cronDaySet(text: string): number[] | null {
  const days: number[] = []
  for (const part of text.split(',')) {
    const [from = '', to, ...rest] = part.split('-')
    const first = cronDays.indexOf(from)
    const last = to === undefined ? first : cronDays.indexOf(to)
    if (first < 0 || last < first || rest.length > 0) return null
    for (let day = first; day <= last; day++) days.push(day)
  }
  return [...new Set(days)].sort((a, b) => a - b)
}
