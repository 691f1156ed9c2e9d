/** Exceptions of schedules as a calendar shows them. */

export interface ExceptionDates {
  date?: string
  from?: string
  to?: string
}

/** The name that an exception has to have: SCHEDULE:DATE:TYPE, or SCHEDULE:FROM..TO:TYPE. */
export function exceptionName(e: ExceptionDates & { schedule: string; type: string }): string {
  const dates = e.date ? e.date : `${e.from ?? ''}..${e.to ?? ''}`
  return `${e.schedule}:${dates}:${e.type}`
}

/** The first and the last date of an exception. */
export function exceptionSpan(e: ExceptionDates): { from: string; to: string } {
  return e.date ? { from: e.date, to: e.date } : { from: e.from ?? '', to: e.to ?? e.from ?? '' }
}

export function isOn(e: ExceptionDates, date: string): boolean {
  const { from, to } = exceptionSpan(e)
  return from <= date && date <= to
}

/** The dates of an exception as its spec has them: one date, or a range. */
export function datesOf(from: string, to: string): ExceptionDates {
  return to === '' || to === from ? { date: from } : { from, to }
}
