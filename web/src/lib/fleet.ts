import type { BadgeKind } from './badge'

/** What a state looks like. Words that are not known are "not known", not an error. */
export function stateBadge(state: string): BadgeKind {
  switch (state) {
    case 'running':
    case 'stopped':
      return state
    case 'starting':
    case 'stopping':
      return 'moving'
    default:
      return 'unknown'
  }
}

/** The page of a resource. */
export function refPath(ref: string): string {
  const [account = '', region = '', kind = '', ...rest] = ref.split('/')
  return `/fleet/${[account, region, kind].map(encodeURIComponent).join('/')}/${rest.map(encodeURIComponent).join('/')}`
}

/** A value of a filter: what has a meaning there loses it. */
export function escapeFilter(value: string): string {
  return value.replace(/[\\*?,= ]/g, '\\$&')
}

/**
 * The target of one decision about several resources: one is named, several are a filter of their ARNs, or of
 * their IDs where a kind has none.
 */
export function targetOf(resources: readonly { ref: string; arn?: string; id: string }[]): string {
  const [only] = resources
  if (resources.length === 1 && only !== undefined) return only.ref
  const key = resources.every((r) => r.arn !== undefined && r.arn !== '') ? 'arn' : 'instance-id'
  return `filter:${resources.map((r) => `${key}=${escapeFilter((key === 'arn' ? r.arn : r.id) ?? '')}`).join(',')}`
}
