/** The fields of the fleet that one chooses values of. */
export const facetFields = ['state', 'schedule', 'kind', 'account', 'region', 'action', 'wanted'] as const

export type FacetField = (typeof facetFields)[number]

/** What of the fleet is shown, as the address of the page holds it. */
export interface FleetQuery {
  q: string
  filter: string
  sort: string
  override: '' | 'any' | 'none'
  chosen: Record<FacetField, string[]>
}

type Raw = Record<string, unknown>

function one(raw: Raw, name: string): string {
  const value = raw[name]
  return typeof value === 'string' ? value : Array.isArray(value) && typeof value[0] === 'string' ? value[0] : ''
}

/** Reads an address's query; what it does not know is left out. A value with a comma is written twice, not joined. */
export function readQuery(raw: Raw): FleetQuery {
  const override = one(raw, 'override')
  const values = (name: string): string[] => {
    const value = raw[name]
    const list: unknown[] = Array.isArray(value) ? value : [value]
    return [...new Set(list.flatMap((v) => (typeof v === 'string' ? v.split(',') : [])))].filter((v) => v !== '')
  }
  return {
    q: one(raw, 'q').slice(0, 200),
    filter: one(raw, 'filter'),
    sort: /^-?[a-z]+$/.test(one(raw, 'sort')) ? one(raw, 'sort') : '',
    override: override === 'any' || override === 'none' ? override : '',
    chosen: Object.fromEntries(facetFields.map((field) => [field, values(field)])) as FleetQuery['chosen'],
  }
}

/** The query of an address, short: nothing that is as it is anyway. */
export function writeQuery(query: FleetQuery): Record<string, string> {
  const out: Record<string, string> = {}
  for (const name of ['q', 'filter', 'sort', 'override'] as const) if (query[name] !== '') out[name] = query[name]
  for (const field of facetFields) if (query.chosen[field].length > 0) out[field] = query.chosen[field].join(',')
  return out
}

/** Whether anything narrows the list. */
export function narrowed(query: FleetQuery): boolean {
  return query.q !== '' || query.filter !== '' || query.override !== '' || facetFields.some((field) => query.chosen[field].length > 0)
}
