import type { BadgeKind } from './badge'

/** Statuses in which nothing is left to be decided. */
const overStatuses = new Set(['done', 'done-with-exceptions', 'failed', 'cancelled', 'undone'])

export function runOver(status: string): boolean {
  return overStatuses.has(status)
}

export function runKind(status: string): BadgeKind {
  switch (status) {
    case 'done':
      return 'good'
    case 'done-with-exceptions':
    case 'held':
    case 'cancelled':
    case 'undone':
      return 'warn'
    case 'failed':
      return 'bad'
    default:
      return 'moving'
  }
}

/** A phase of a tier as it is drawn; what is done is as its run's direction leaves it. */
export function phaseKind(phase: string, direction: string): BadgeKind {
  switch (phase) {
    case 'done':
      return direction === 'start' ? 'running' : 'stopped'
    case 'failed':
      return 'bad'
    case 'kept':
      return 'warn'
    case 'waiting':
    case 'left':
      return 'unknown'
    default:
      return 'moving'
  }
}

export function endKind(end: string): BadgeKind {
  switch (end) {
    case 'ready':
      return 'running'
    case 'stopped':
      return 'stopped'
    case 'failed':
      return 'bad'
    case 'kept':
      return 'warn'
    case '':
      return 'moving'
    default:
      return 'unknown'
  }
}

interface TierLike {
  ready: number
  failed: number
  phase: string
  /** Empty where they are not told, as in lists. */
  members: readonly unknown[] | null
}

/** How much of a run is done, from 0 to 1: its members, or its tiers where members are not told. */
export function progress(tiers: readonly TierLike[]): number {
  if (tiers.length === 0) return 0
  const ended = (t: TierLike): boolean => ['done', 'failed', 'kept', 'left'].includes(t.phase)
  return tiers.reduce((sum, t) => sum + (ended(t) ? 1 : t.members?.length ? (t.ready + t.failed) / t.members.length : 0), 0) / tiers.length
}

/** A bar of a timeline, in parts of its whole length (0 to 1). */
export interface Bar {
  left: number
  width: number
}

interface RunLike {
  began: string
  ended?: string
  expected?: string
}

/** What a timeline spans: from the begin of a run to its end, or to when it is expected, and always to now. */
export function span(run: RunLike, now: number): { from: number; to: number } {
  const from = Date.parse(run.began)
  const ended = run.ended ? Date.parse(run.ended) : undefined
  const to = ended ?? Math.max(now, run.expected ? Date.parse(run.expected) : now)
  // A second at least, so that what has just begun has a place.
  return { from, to: Math.max(to, from + 1_000) }
}

/** Where something that began, and ended or goes on, stands; undefined where it has not begun. */
export function bar(of: { began?: string; ended?: string }, run: RunLike, now: number): Bar | undefined {
  if (!of.began) return undefined
  const { from, to } = span(run, now)
  const end = of.ended ? Date.parse(of.ended) : run.ended ? Date.parse(run.ended) : now
  const place = (at: number): number => Math.min(1, Math.max(0, (at - from) / (to - from)))
  const left = place(Date.parse(of.began))
  return { left, width: Math.max(0, place(end) - left) }
}
