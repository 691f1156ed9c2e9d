/**
 * Time zones as people look at them: which there are, what a clock shows there and here, and when it is next set forward
 * or back. Everything comes from the browser's own zone data; what a schedule does is only ever said by the server.
 */
import { local } from './time'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** Zones that many people look for, shown first. */
export const commonZones = ['Asia/Seoul', 'Asia/Shanghai', 'Asia/Tokyo', 'Asia/Singapore', 'Europe/London', 'Europe/Berlin', 'America/New_York', 'America/Los_Angeles', 'UTC']

let cachedZones: string[] | null = null

/** Every IANA name that the browser knows, UTC included, in the order of names. */
export function allZones(): string[] {
  cachedZones ??= [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC'])].sort()
  return cachedZones
}

/** The zone of this browser. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Whether the browser knows a zone. The server may know more. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** How many minutes the clock of a zone is ahead of UTC at an instant. */
export function offsetMinutes(zone: string, at: Date): number {
  const { year, month, day, hour, minute, second } = local(at.getTime(), zone)
  const shown = Date.UTC(year, month - 1, day, hour, minute, second)
  return Math.round((shown - Math.floor(at.getTime() / 1000) * 1000) / minuteMs)
}

/** `UTC+09:00`, `UTC−03:30`, `UTC`. */
export function offsetText(minutes: number): string {
  if (minutes === 0) return 'UTC'
  const size = Math.abs(minutes)
  return `UTC${minutes < 0 ? '−' : '+'}${String(Math.floor(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`
}

/** A change of the clock of a zone. */
export interface ClockChange {
  /** the first instant with the new offset, to the minute */
  at: Date
  /** minutes by which the clock is set forward; negative: back */
  by: number
}

/** The next change of a zone's clock within a year; null where there is none. */
export function nextClockChange(zone: string, from: Date): ClockChange | null {
  const step = 7 * dayMs // no zone changes its clock and back within a week, but for Ramadan's weeks in Morocco, which are four
  let before = from.getTime()
  const offset = offsetMinutes(zone, from)
  for (let at = before + step; at <= from.getTime() + 366 * dayMs; at += step) {
    const now = offsetMinutes(zone, new Date(at))
    if (now === offset) {
      before = at
      continue
    }
    let low = before
    let high = at
    while (high - low > minuteMs) {
      const middle = Math.floor((low + high) / 2 / minuteMs) * minuteMs
      if (middle <= low) break
      if (offsetMinutes(zone, new Date(middle)) === offset) low = middle
      else high = middle
    }
    return { at: new Date(Math.ceil(high / minuteMs) * minuteMs), by: offsetMinutes(zone, new Date(high)) - offset }
  }
  return null
}

/**
 * Zones that match what was typed: every word of it has to be in the name, `_` and `/` count as blanks. Those in common
 * use come first, then those in which a word of the name begins with the text.
 */
export function searchZones(text: string, zones: string[] = allZones()): string[] {
  const words = text.toLowerCase().replaceAll(/[_/]/g, ' ').split(' ').filter(Boolean)
  const rank = (zone: string): number => {
    if (commonZones.includes(zone)) return 0
    const parts = zone.toLowerCase().split(/[_/]/)
    return words.length > 0 && parts.some((part) => part.startsWith(words[0] ?? '')) ? 1 : 2
  }
  return zones
    .filter((zone) => {
      const name = zone.toLowerCase().replaceAll(/[_/]/g, ' ')
      return words.every((word) => name.includes(word))
    })
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}
