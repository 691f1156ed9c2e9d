import { describe, expect, it } from 'vitest'
import { cycle, layout } from './graph'

const size = { width: 100, height: 40, along: 50, across: 10 }
const tier = (name: string, ...after: string[]) => ({ name, after })

describe('layout', () => {
  it('puts a tier behind the deepest that it waits for', () => {
    const graph = layout([tier('db'), tier('queue'), tier('api', 'db', 'queue'), tier('web', 'api', 'db')], size, 'right')
    expect(graph.levels).toEqual([['db', 'queue'], ['api'], ['web']])
    expect(graph.width).toBe(3 * 100 + 2 * 50)
    expect(graph.height).toBe(2 * 40 + 10)
    // One alone stands in the middle of its level.
    expect(graph.nodes.find((n) => n.name === 'api')).toEqual({ name: 'api', level: 1, x: 150, y: 25 })
  })

  it('leaves out an edge that a longer way says too', () => {
    const graph = layout([tier('db'), tier('api', 'db'), tier('web', 'api', 'db')], size, 'right')
    expect(graph.edges.map((e) => `${e.from} ${e.to}`)).toEqual(['db api', 'api web'])
  })

  it('goes from top to bottom on a narrow window', () => {
    const graph = layout([tier('db'), tier('web', 'db')], size, 'down')
    expect(graph.nodes.map((n) => [n.x, n.y])).toEqual([[0, 0], [0, 90]])
    expect([graph.width, graph.height]).toEqual([100, 130])
    expect(graph.edges[0]?.d).toMatch(/^M50 40C.* 50 90$/)
  })

  it('never puts two tiers in one place', () => {
    const tiers = Array.from({ length: 30 }, (_, i) => tier(`t${i}`, ...Array.from({ length: i }, (__, j) => `t${j}`).filter((name) => (name.length + i) % 3 === 0)))
    for (const direction of ['right', 'down'] as const) {
      const { nodes } = layout(tiers, size, direction)
      expect(nodes).toHaveLength(30)
      expect(new Set(nodes.map((n) => `${n.x} ${n.y}`)).size).toBe(30)
    }
  })

  it('draws a circle as one, with the edge that leads back', () => {
    const graph = layout([tier('a', 'b'), tier('b', 'a')], size, 'right')
    expect(graph.nodes).toHaveLength(2)
    expect(graph.edges.filter((e) => e.back)).toHaveLength(1)
  })

  it('takes what waits for itself, or for nobody that is there, as waiting for nobody', () => {
    const graph = layout([tier('a', 'a', 'gone')], size, 'right')
    expect(graph.levels).toEqual([['a']])
    expect(graph.edges).toEqual([])
  })

  it('draws nothing of nothing', () => {
    expect(layout([], size, 'right').nodes).toEqual([])
  })
})

describe('cycle', () => {
  it('says the path of a circle', () => {
    expect(cycle([tier('z', 'a'), tier('a', 'b'), tier('b', 'c'), tier('c', 'b')])).toEqual(['b', 'c', 'b'])
  })

  it('finds none where there is none', () => {
    expect(cycle([tier('db'), tier('api', 'db'), tier('web', 'api', 'db')])).toBeUndefined()
  })
})
