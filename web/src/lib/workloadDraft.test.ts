import { describe, expect, it } from 'vitest'
import { type TierSpec, bare, calls, draftTiers, fieldsOf, orderOf, orderedBy, removed, renamed, saidBy, specTiers, tierPath } from './workloadDraft'

const tier = (more: Partial<TierSpec> = {}): TierSpec => ({ filters: 'tag:Role=DB', ...more })
const after = (list: { name: string; after: readonly string[] }[]) => Object.fromEntries(list.map((t) => [t.name, t.after]))
const chain = () => draftTiers({ db: tier(), api: tier({ depends_on: ['db'] }), web: tier({ depends_on: ['api'] }) })
const numbered = () => draftTiers({ db: tier({ start: { sequence: 1 }, stop: { sequence: 5 } }), web: tier({ start: { sequence: 7 }, stop: { sequence: 0 } }) })

describe('the order of tiers', () => {
  it('is the dependencies, and the stop the other way round', () => {
    expect(after(orderOf(chain(), 'start'))).toEqual({ db: [], api: ['db'], web: ['api'] })
    expect(after(orderOf(chain(), 'stop'))).toEqual({ db: ['api'], api: ['web'], web: [] })
  })

  it('is the numbers where there are any, with gaps', () => {
    expect(orderedBy(numbered())).toBe('numbers')
    expect(after(orderOf(numbered(), 'start'))).toEqual({ db: [], web: ['db'] })
    expect(after(orderOf(numbered(), 'stop'))).toEqual({ db: ['web'], web: [] })
  })

  it('has an own stop where one is given', () => {
    const tiers = draftTiers({ db: tier(), web: tier({ depends_on: ['db'] }), log: tier({ stop_depends_on: ['db', 'web'] }) })
    expect(after(orderOf(tiers, 'stop'))).toEqual({ db: [], web: [], log: ['db', 'web'] })
  })

  it('stays the same when it is said by numbers, and back', () => {
    const numbers = saidBy(chain(), 'numbers')
    expect(numbers.map((t) => [t.spec.start?.sequence, t.spec.stop?.sequence])).toEqual([[0, 2], [1, 1], [2, 0]])
    expect(numbers.some((t) => t.spec.depends_on)).toBe(false)
    const back = saidBy(numbers, 'graph')
    expect(bare(specTiers(back))).toEqual(specTiers(chain()))
  })

  it('keeps a stop of its own when numbers become dependencies', () => {
    const tiers = draftTiers({ db: tier({ start: { sequence: 0 }, stop: { sequence: 0 } }), web: tier({ start: { sequence: 1 }, stop: { sequence: 1 } }) })
    const graph = saidBy(tiers, 'graph')
    expect(after(orderOf(graph, 'start'))).toEqual({ db: [], web: ['db'] })
    expect(after(orderOf(graph, 'stop'))).toEqual({ db: [], web: ['db'] })
  })
})

describe('tiers of a draft', () => {
  it('are renamed wherever they are named', () => {
    expect(specTiers(renamed(chain(), 0, 'postgres'))).toEqual({ postgres: tier(), api: tier({ depends_on: ['postgres'] }), web: tier({ depends_on: ['api'] }) })
  })

  it('do not take over what names another one while a name is typed', () => {
    const twice = renamed(chain(), 0, 'api')
    expect(specTiers(renamed(twice, 0, 'apis'))['web']?.depends_on).toEqual(['api'])
  })

  it('are taken out wherever they are named', () => {
    expect(specTiers(removed(chain(), 1))).toEqual({ db: tier(), web: tier({ depends_on: [] }) })
  })
})

it('leaves out what says nothing', () => {
  expect(bare({ a: '', b: [], c: { d: undefined }, e: 0, f: false, g: ['x'] })).toEqual({ e: 0, f: false, g: ['x'] })
})

it('writes the path of a tier as the server does', () => {
  expect([tierPath('db'), tierPath('my db'), tierPath('a.b')]).toEqual(['tiers.db', 'tiers."my db"', 'tiers."a.b"'])
})

it('gives every type of a gate, veto and hook fields, and no field a type that is not there', () => {
  for (const list of ['ready', 'vetoes', 'hooks'] as const) {
    for (const type of calls[list].types) expect(fieldsOf(list, type).map((f) => f.key)).toContain('timeout')
    for (const field of calls[list].fields) for (const type of field.of ?? []) expect(calls[list].types).toContain(type)
  }
})
