import { ref, shallowRef } from 'vue'
import { type ObjectAnswer, type ObjectKind, type SpecOf, deleteObject, putObject } from '@/api/objects'
import { ApiError } from '@/lib/problem'
import { FieldFaults } from '@/lib/faults'

/** A change of one object that a person is shown before it is made. */
export type ObjectChange = { [K in ObjectKind]: { kind: K; name: string; version: number; spec: SpecOf[K] | null } }[ObjectKind]

export interface ChangeReview {
  rows: { kind: string; name: string; did: string; fields: string[] }[]
  notes: string[]
  effect: ObjectAnswer['effect']
}

/**
 * Asks what a change of one object would do, shows it, and makes it. `faults` holds what the server finds wrong, by field;
 * `stale` says that somebody else was first; other errors are thrown.
 */
export function useObjectChange() {
  const open = ref(false)
  const busy = ref(false)
  const change = shallowRef<ObjectChange | null>(null)
  const review = shallowRef<ChangeReview | null>(null)
  const faults = shallowRef(new FieldFaults())
  const stale = ref(false)

  function send(of: ObjectChange, dryRun: boolean, confirm: boolean): Promise<ObjectAnswer> {
    const options = { version: of.version, dryRun, confirm }
    if (of.spec === null) return deleteObject(of.kind, of.name, options)
    return putObject(of.kind, of.name, of.spec as SpecOf[typeof of.kind], options)
  }

  /** False: it can not be made, and faults or stale say why. */
  async function attempt(task: () => Promise<void>): Promise<boolean> {
    busy.value = true
    faults.value = new FieldFaults()
    stale.value = false
    try {
      await task()
      return true
    } catch (error) {
      open.value = false
      if (!(error instanceof ApiError)) throw error
      if (error.word === 'stale') {
        stale.value = true
        return false
      }
      if (error.word === 'invalid') {
        faults.value = faultsOf(error, change.value)
        return false
      }
      throw error
    } finally {
      busy.value = false
    }
  }

  /** Shows what a change would do. */
  async function ask(of: ObjectChange): Promise<boolean> {
    change.value = of
    review.value = null
    open.value = true
    return attempt(async () => {
      const answer = await send(of, true, false)
      review.value = {
        rows: [{ kind: answer.object.kind, name: answer.object.name, did: answer.did, fields: answer.fields ?? [] }],
        // The page of a rule itself says its instants and what it matches.
        notes: of.kind === 'rules' && of.spec !== null ? [] : (answer.notes ?? []),
        effect: answer.effect,
      }
    })
  }

  /** Makes the change that was shown. */
  async function make(): Promise<boolean> {
    const of = change.value
    if (!of) return false
    const done = await attempt(async () => {
      await send(of, false, Boolean(review.value?.effect.confirm))
    })
    if (done) open.value = false
    return done
  }

  return { open, busy, change, review, faults, stale, ask, make }
}

/** The faults of a problem by the fields of the object; what names no field is at the field ''. */
export function faultsOf(error: ApiError, change: ObjectChange | null): FieldFaults {
  const found = new FieldFaults()
  const prefixes = change ? [`${change.kind}.${change.name}`, 'body'] : ['body']
  for (const [path, message] of error.fields) {
    const prefix = prefixes.find((p) => path === p || path.startsWith(`${p}.`))
    found.add(prefix === undefined ? path : path.slice(prefix.length + 1), message)
  }
  if (found.size === 0) found.add('', error.problem.detail ?? error.problem.title)
  return found
}
