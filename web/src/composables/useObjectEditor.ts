import { type Ref, type ShallowRef, computed, nextTick, shallowRef } from 'vue'
import { type ObjectKind, type SpecOf, type Stored, listObjects } from '@/api/objects'
import { type KeyConflict, sameSpec, threeWay } from '@/lib/scheduleDraft'
import { useTell } from './useAct'
import { type ObjectChange, useObjectChange } from './useObjectChange'

/** Somebody else saved first: what both changed, whose value is taken, and what they have now (null: deleted). */
export interface StaleObject<S> {
  rows: KeyConflict[]
  choice: Record<string, 'theirs' | 'yours'>
  merged: Record<string, unknown>
  theirs: Stored<S> | null
}

/** Goes to the first field at fault, and into it. */
export async function toFault(): Promise<void> {
  await nextTick()
  const field = document.querySelector<HTMLElement>('.faulty, .listed-fault')
  field?.scrollIntoView({ block: 'center' })
  const control = field?.querySelector<HTMLElement>('input') ?? field?.querySelector<HTMLElement>('button')
  control?.focus({ preventScroll: true })
}

/**
 * What every editor of one object does with it: save and delete, each shown before it is made, and what follows when
 * somebody else was first. `take` puts an object, or what was chosen of two, into the form; `fault` leads to what is wrong.
 */
export function useObjectEditor<K extends ObjectKind>(
  kind: K,
  form: {
    name: Ref<string>
    stored: ShallowRef<Stored<SpecOf[K]> | null>
    whole: () => SpecOf[K]
    take: (stored: Stored<SpecOf[K]> | null, spec: SpecOf[K]) => void
    fault?: () => Promise<void>
  },
) {
  const tell = useTell()
  const changing = useObjectChange()
  const stale = shallowRef<StaleObject<SpecOf[K]> | null>(null)
  const removing = computed(() => changing.change.value?.spec === null)

  async function attempt(task: () => Promise<boolean>): Promise<boolean> {
    try {
      if (await task()) return true
      if (changing.stale.value) await meet()
      else await (form.fault ?? toFault)()
    } catch (error) {
      tell(error)
    }
    return false
  }

  function ask(spec: SpecOf[K] | null): Promise<boolean> {
    return attempt(() => changing.ask({ kind, name: form.name.value.trim(), version: form.stored.value?.version ?? 0, spec } as ObjectChange))
  }

  async function meet(): Promise<void> {
    const all = await listObjects(kind)
    const theirs = all.find((o) => o.name === form.name.value.trim()) ?? null
    const { merged, rows } = threeWay({ ...form.stored.value?.spec }, { ...theirs?.spec }, { ...form.whole() })
    stale.value = {
      theirs,
      merged,
      rows,
      choice: Object.fromEntries(rows.map((row) => [row.key, sameSpec({ v: merged[row.key] }, { v: row.yours }) ? ('yours' as const) : ('theirs' as const)])),
    }
  }

  function resolve(choice: Record<string, 'theirs' | 'yours'>): void {
    const met = stale.value
    if (!met) return
    const result = { ...met.merged }
    for (const row of met.rows) {
      const value = choice[row.key] === 'theirs' ? row.theirs : row.yours
      if (value === undefined) Reflect.deleteProperty(result, row.key)
      else result[row.key] = value
    }
    form.take(met.theirs, result as unknown as SpecOf[K])
    stale.value = null
  }

  return { changing, stale, removing, save: () => ask(form.whole()), remove: () => ask(null), make: () => attempt(() => changing.make()), resolve }
}
