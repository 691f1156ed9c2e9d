/** What could be done or not in a place, as `doctor` says it. */
export interface Finding {
  ability: string
  ok: boolean
  untested?: boolean
  missing?: string
  detail: string
}

/** The check of one account in one region. */
export interface Place {
  scope: { account: string; region: string }
  ok: boolean
  findings: Finding[] | null
  quarantine?: { reason: string; why: string; since: string; next: string; looks: number }
}

export interface AccountHealth {
  account: string
  places: Place[]
  /** Regions in order, of all. */
  ok: number
}

/** In order, out of order, or left alone because it failed again and again. */
export type PlaceState = 'ok' | 'findings' | 'quarantine'

export function stateOf(place: Place): PlaceState {
  if (place.quarantine !== undefined) return 'quarantine'
  return place.ok ? 'ok' : 'findings'
}

/** What speaks against a place: findings that are not in order, without what could not be tried. */
export function faultsOf(place: Place): Finding[] {
  return (place.findings ?? []).filter((finding) => !finding.ok && finding.untested !== true)
}

const weight: Record<PlaceState, number> = { quarantine: 0, findings: 1, ok: 2 }

/** Places by account. What needs a person comes first, then the order of the names. */
export function byAccount(places: readonly Place[]): AccountHealth[] {
  const accounts = new Map<string, AccountHealth>()
  for (const place of places) {
    const { account } = place.scope
    let health = accounts.get(account)
    if (health === undefined) {
      health = { account, places: [], ok: 0 }
      accounts.set(account, health)
    }
    health.places.push(place)
    if (stateOf(place) === 'ok') health.ok++
  }
  const all = [...accounts.values()]
  for (const health of all) {
    health.places.sort((a, b) => weight[stateOf(a)] - weight[stateOf(b)] || a.scope.region.localeCompare(b.scope.region, 'en'))
  }
  const whole = (health: AccountHealth): number => (health.ok === health.places.length ? 1 : 0)
  return all.sort((a, b) => whole(a) - whole(b) || a.account.localeCompare(b.account, 'en'))
}

/** Seconds that a pass took; undefined while it is under way, or where its process died. */
export function tookSeconds(run: { started: string; finished?: string }): number | undefined {
  const started = Date.parse(run.started)
  const finished = Date.parse(run.finished ?? '')
  return finished >= started && started > 0 ? (finished - started) / 1000 : undefined
}
