import { listAccounts } from '@/api/endpoints'

/** An account as a form offers it, with the regions that are looked at there. */
export interface Place {
  id: string
  name: string
  regions: string[]
}

/** The most accounts that a form offers; others are typed. */
const offered = 500

/** The accounts for a form. Without them an account or region is typed, so that a failure leaves the list empty. */
export async function readPlaces(signal: AbortSignal): Promise<Place[]> {
  const found = await listAccounts({ limit: offered }, signal).catch(() => null)
  return (found?.items ?? []).map((a) => ({ id: a.id, name: a.name ?? '', regions: a.regions.map((r) => r.region) }))
}
