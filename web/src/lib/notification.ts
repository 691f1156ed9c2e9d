import type { BadgeKind } from './badge'

/** How a channel stands, as far as is looked at here. */
export interface Standing {
  failing?: string
  waiting: number
  dead: number
  sent: number
  last?: string
  quiet?: string
}

export type ChannelState = 'failing' | 'quiet' | 'busy' | 'fine' | 'new'

/** How a channel stands in a word. */
export function stateOf(c: Standing): ChannelState {
  if (c.failing) return 'failing'
  if (c.quiet) return 'quiet'
  if (c.waiting > 0) return 'busy'
  return c.last || c.sent > 0 ? 'fine' : 'new'
}

export const stateKind: Record<ChannelState, BadgeKind> = { failing: 'bad', quiet: 'stopped', busy: 'moving', fine: 'good', new: 'unknown' }

export const deliveryKind: Record<string, BadgeKind> = { waiting: 'moving', kept: 'stopped', sent: 'good', dead: 'bad' }

/** What a channel takes, as far as is looked at here. */
export interface Route {
  kinds: string[]
  schedules: string[]
  workloads: string[]
  filter?: string
}

/** Whether messages of a kind go to a channel: all, some of them, or none. */
export function takes(route: Route, kind: string): 'all' | 'some' | 'none' {
  if (route.kinds.length > 0 && !route.kinds.includes(kind)) return 'none'
  return route.schedules.length > 0 || route.workloads.length > 0 || Boolean(route.filter) ? 'some' : 'all'
}

/** How a room draws a message: with a bar of its colour, a head of its colour, a title of its colour, or as a text. */
export function drawn(type: string): 'bar' | 'head' | 'card' | 'text' {
  if (['slack', 'discord', 'jandi'].includes(type)) return 'bar'
  if (type === 'lark') return 'head'
  return type === 'teams' ? 'card' : 'text'
}
