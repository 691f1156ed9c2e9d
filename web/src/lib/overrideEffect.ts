interface Line {
  name: string
  ref: string
  counts: boolean
  action: string
  reason: string
  why: string
  then?: string
}

/** What a decision does, in numbers and names. */
export interface EffectSummary {
  starts: string[]
  stops: string[]
  /** How many are as they shall be already. */
  stays: number
  /** Those that it does not reach, by the reason. */
  not: [reason: string, line: { names: string[]; why: string }][]
  thenStops: number
  thenStarts: number
  /** At the end nothing is done to any of them. */
  thenStays: boolean
}

/** Reads the lines of a dry run. A resource without a name is called by its address. */
export function summary(answer: { override: { state: string }; resources: readonly Line[] }): EffectSummary {
  const out: EffectSummary = { starts: [], stops: [], stays: 0, not: [], thenStops: 0, thenStarts: 0, thenStays: false }
  const not = new Map<string, { names: string[]; why: string }>()
  let reached = 0
  for (const line of answer.resources) {
    const name = line.name === '' ? line.ref : line.name
    if (!line.counts) {
      const known = not.get(line.reason) ?? { names: [], why: line.why }
      known.names.push(name)
      not.set(line.reason, known)
      continue
    }
    reached++
    if (line.action === 'start') out.starts.push(name)
    else if (line.action === 'stop' || line.action === 'hibernate') out.stops.push(name)
    else out.stays++
    if (line.then === 'stop' || line.then === 'hibernate') out.thenStops++
    else if (line.then === 'start') out.thenStarts++
  }
  out.not = [...not]
  out.thenStays = reached > 0 && out.thenStops + out.thenStarts === 0
  return out
}
