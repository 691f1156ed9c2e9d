/** What stands in an order: its name and the names of those it waits for. */
export interface Ordered {
  name: string
  after: readonly string[]
}

export interface GraphNode {
  name: string
  /** How many stand before it on the longest way: 0 begins. */
  level: number
  x: number
  y: number
}

export interface GraphEdge {
  from: string
  to: string
  /** The path of an SVG. */
  d: string
  /** It leads back: part of a circle. */
  back: boolean
}

export interface Graph {
  nodes: GraphNode[]
  edges: GraphEdge[]
  /** The names level by level, each in the order in which it is drawn. */
  levels: string[][]
  width: number
  height: number
}

/** What a graph is drawn with, in pixels. */
export interface GraphSize {
  width: number
  height: number
  /** Between levels, where the edges are. */
  along: number
  /** Between neighbours of a level. */
  across: number
}

/** Who is known, each with those that it waits for and that are there: what is mistyped, or is itself, is no edge. */
function known(tiers: readonly Ordered[]): Map<string, string[]> {
  const names = new Set(tiers.map((t) => t.name))
  return new Map(tiers.map((t) => [t.name, [...new Set(t.after)].filter((n) => n !== t.name && names.has(n))]))
}

/** The first circle in what waits for what, as a path that ends where it begins; none: undefined. */
export function cycle(tiers: readonly Ordered[]): string[] | undefined {
  const after = known(tiers)
  const done = new Set<string>()
  const path: string[] = []
  const visit = (name: string): string[] | undefined => {
    const at = path.indexOf(name)
    if (at >= 0) return [...path.slice(at), name]
    if (done.has(name)) return undefined
    path.push(name)
    for (const next of after.get(name) ?? []) {
      const found = visit(next)
      if (found) return found
    }
    path.pop()
    done.add(name)
    return undefined
  }
  for (const tier of tiers) {
    const found = visit(tier.name)
    if (found) return found
  }
  return undefined
}

/** The level of each: one more than the deepest it waits for. What is in a circle comes behind what is not, as deep as it can be told. */
function depths(after: Map<string, string[]>): Map<string, number> {
  const level = new Map<string, number>()
  const open = new Set(after.keys())
  while (open.size > 0) {
    let ready = [...open].filter((name) => (after.get(name) ?? []).every((n) => !open.has(n)))
    // Only circles are left: the first of them is taken as if it waited for nobody in it.
    if (ready.length === 0) ready = [...open].slice(0, 1)
    for (const name of ready) level.set(name, Math.max(-1, ...(after.get(name) ?? []).map((n) => level.get(n) ?? -1)) + 1)
    for (const name of ready) open.delete(name)
  }
  return level
}

/** Without the edges that a longer way says too: of db → api → web and db → web, the last is not drawn. */
function reduced(after: Map<string, string[]>, level: Map<string, number>): Map<string, string[]> {
  const up = (name: string): string[] => (after.get(name) ?? []).filter((n) => (level.get(n) ?? 0) < (level.get(name) ?? 0))
  const reaches = new Map<string, Set<string>>()
  for (const name of [...after.keys()].sort((a, b) => (level.get(a) ?? 0) - (level.get(b) ?? 0))) {
    reaches.set(name, new Set(up(name).flatMap((n) => [n, ...(reaches.get(n) ?? [])])))
  }
  return new Map([...after].map(([name, list]) => [name, list.filter((n) => !list.some((other) => other !== n && up(name).includes(other) && reaches.get(other)?.has(n)))]))
}

/** Draws an order: levels from left to right, or from top to bottom. */
export function layout(tiers: readonly Ordered[], size: GraphSize, direction: 'right' | 'down'): Graph {
  const after = known(tiers)
  const level = depths(after)
  const edges = reduced(after, level)
  const levels: string[][] = []
  for (const { name } of tiers) (levels[level.get(name) ?? 0] ??= []).push(name)
  // Each stands near those that it waits for, so that fewer edges cross; else as given.
  const place = new Map<string, number>()
  for (const names of levels) {
    const middle = (name: string): number => {
      const before = (edges.get(name) ?? []).map((n) => place.get(n)).filter((p) => p !== undefined)
      return before.length > 0 ? before.reduce((a, b) => a + b, 0) / before.length : 0
    }
    const sorted = names.map((name) => ({ name, at: middle(name) })).sort((a, b) => a.at - b.at)
    names.splice(0, names.length, ...sorted.map((s) => s.name))
    names.forEach((name, i) => place.set(name, i - (names.length - 1) / 2))
  }
  const right = direction === 'right'
  const [deep, broad] = right ? [size.width, size.height] : [size.height, size.width]
  const broadest = Math.max(1, ...levels.map((names) => names.length))
  const breadth = broadest * broad + (broadest - 1) * size.across
  const depth = Math.max(1, levels.length) * deep + Math.max(0, levels.length - 1) * size.along
  const nodes = levels.flatMap((names, l) =>
    names.map((name) => {
      const along = l * (deep + size.along)
      const across = breadth / 2 + (place.get(name) ?? 0) * (broad + size.across) - broad / 2
      return { name, level: l, x: right ? along : across, y: right ? across : along }
    }),
  )
  const at = new Map(nodes.map((n) => [n.name, n]))
  const drawn = [...edges].flatMap(([to, list]) =>
    list.flatMap((from) => {
      const [a, b] = [at.get(from), at.get(to)]
      if (!a || !b) return []
      const [x1, y1] = right ? [a.x + size.width, a.y + size.height / 2] : [a.x + size.width / 2, a.y + size.height]
      const [x2, y2] = right ? [b.x, b.y + size.height / 2] : [b.x + size.width / 2, b.y]
      const bend = right ? Math.max(size.along / 2, Math.abs(x2 - x1) / 2) : Math.max(size.along / 2, Math.abs(y2 - y1) / 2)
      const d = right ? `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` : `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`
      return [{ from, to, d, back: a.level >= b.level }]
    }),
  )
  return { nodes, edges: drawn, levels, width: right ? depth : breadth, height: right ? breadth : depth }
}
