/** The days of a month as a calendar shows them: six weeks at most, Monday first, dates as `YYYY-MM-DD`. */

export interface MonthDay {
  date: string
  day: number
  /** 0 = Monday */
  weekday: number
  /** of the month that is shown; the others fill its first and last week */
  inside: boolean
}

export interface Month {
  year: number
  /** 1 = January */
  month: number
}

const dayMs = 86_400_000

function utc(date: string): number {
  return Date.parse(`${date}T00:00:00Z`)
}

/** Whether a text is a date that there is. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(utc(text)) && new Date(utc(text)).toISOString().startsWith(text)
}

export function addDays(date: string, days: number): string {
  return new Date(utc(date) + days * dayMs).toISOString().slice(0, 10)
}

export function addMonths({ year, month }: Month, by: number): Month {
  const count = year * 12 + (month - 1) + by
  return { year: Math.floor(count / 12), month: (((count % 12) + 12) % 12) + 1 }
}

export function monthOf(date: string): Month {
  return { year: Number(date.slice(0, 4)), month: Number(date.slice(5, 7)) }
}

/** 0 = Monday. */
export function weekdayOf(date: string): number {
  return (new Date(utc(date)).getUTCDay() + 6) % 7
}

export function firstOf({ year, month }: Month): string {
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-01`
}

/** Whole weeks from the Monday on or before the first to the Sunday on or after the last of the month. */
export function monthWeeks(of: Month): MonthDay[][] {
  const first = firstOf(of)
  const end = firstOf(addMonths(of, 1))
  const weeks: MonthDay[][] = []
  for (let monday = addDays(first, -weekdayOf(first)); monday < end; monday = addDays(monday, 7)) {
    weeks.push(
      Array.from({ length: 7 }, (_, weekday) => {
        const date = addDays(monday, weekday)
        return { date, day: Number(date.slice(8)), weekday, inside: date >= first && date < end }
      }),
    )
  }
  return weeks
}

/** Every date from the first to the last, both included; none where they are the wrong way round. At most a year's. */
export function datesBetween(from: string, to: string): string[] {
  const dates: string[] = []
  for (let date = from; date <= to && dates.length < 366; date = addDays(date, 1)) dates.push(date)
  return dates
}

/** What the keys of a calendar do: the date they lead to, null where a key is none of its keys. */
export function dateAfterKey(date: string, key: string): string | null {
  switch (key) {
    case 'ArrowLeft':
      return addDays(date, -1)
    case 'ArrowRight':
      return addDays(date, 1)
    case 'ArrowUp':
      return addDays(date, -7)
    case 'ArrowDown':
      return addDays(date, 7)
    case 'Home':
      return addDays(date, -weekdayOf(date))
    case 'End':
      return addDays(date, 6 - weekdayOf(date))
    case 'PageUp':
    case 'PageDown': {
      const there = addMonths(monthOf(date), key === 'PageUp' ? -1 : 1)
      const last = addDays(firstOf(addMonths(there, 1)), -1)
      const same = `${firstOf(there).slice(0, 8)}${date.slice(8)}`
      return same > last ? last : same
    }
    default:
      return null
  }
}
