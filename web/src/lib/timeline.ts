/** A stretch of a lane, in parts of its whole length (0 to 1). */
export interface Stretch {
  left: number
  width: number
  state: string
  from: number
  to: number
}

interface LaneLike {
  from: string
  to: string
  spans: readonly { from: string; to: string; state: string }[]
}

/** The spans of a lane as stretches: cut to the lane, neighbours of one state joined, none empty. */
export function stretches(lane: LaneLike): Stretch[] {
  const begin = Date.parse(lane.from)
  const end = Date.parse(lane.to)
  const length = end - begin
  if (!(length > 0)) return []
  const out: Stretch[] = []
  for (const span of lane.spans) {
    const from = Math.max(begin, Date.parse(span.from))
    const to = Math.min(end, Date.parse(span.to))
    if (!(to > from)) continue
    const last = out[out.length - 1]
    if (last?.state === span.state && last.to === from) {
      last.to = to
      last.width = (to - last.from) / length
    } else {
      out.push({ left: (from - begin) / length, width: (to - from) / length, state: span.state, from, to })
    }
  }
  return out
}

/** Where an instant stands in a lane, from 0 to 1; undefined outside of it. */
export function placeOf(lane: { from: string; to: string }, at: number): number | undefined {
  const begin = Date.parse(lane.from)
  const end = Date.parse(lane.to)
  return at >= begin && at < end ? (at - begin) / (end - begin) : undefined
}

/** What a lane wants at an instant; undefined outside of its spans. */
export function stateAt(lane: LaneLike, at: number): string | undefined {
  return lane.spans.find((span) => Date.parse(span.from) <= at && at < Date.parse(span.to))?.state
}
