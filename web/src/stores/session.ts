import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { ApiError } from '@/api/client'
import { type Me, getMe, signIn as postSession, signOut as deleteSession } from '@/api/endpoints'
import { restartEvents } from '@/api/events'

/** What somebody may do: see, act on the fleet, edit objects, manage keys. */
export type Permission = 'read' | 'act' | 'edit' | 'manage'

/** Who uses the page, what they may do, and the server's clock. */
export const useSession = defineStore('session', () => {
  const me = shallowRef<Me>()
  const failed = shallowRef<unknown>()
  // The server's clock when `me` came, and ours: the demo's runs faster.
  const read = ref({ server: Date.now(), own: performance.now() })

  const known = computed(() => me.value !== undefined)
  const anonymous = computed(() => me.value?.anonymous ?? true)
  const speed = computed(() => (me.value?.speed ?? 1) || 1)
  const demo = computed(() => me.value?.demo ?? false)
  /** The zone that times are shown in: the configuration's. */
  const zone = computed(() => me.value?.timezone ?? 'UTC')

  function may(permission: Permission): boolean {
    return me.value?.permissions.includes(permission) ?? false
  }

  /** The server's clock, in milliseconds. */
  function now(): number {
    return read.value.server + (performance.now() - read.value.own) * speed.value
  }

  function set(answer: Me): void {
    const server = Date.parse(answer.now)
    read.value = { server: Number.isNaN(server) ? Date.now() : server, own: performance.now() }
    me.value = answer
    failed.value = undefined
  }

  let asking: Promise<void> | undefined

  /** Asks who we are. Concurrent calls share one request. Never throws: `failed` says what happened. */
  function load(): Promise<void> {
    asking ??= (async () => {
      try {
        set(await getMe())
      } catch (error) {
        failed.value = error
      } finally {
        asking = undefined
      }
    })()
    return asking
  }

  async function signIn(key: string): Promise<void> {
    set(await postSession(key))
    restartEvents()
  }

  async function signOut(): Promise<void> {
    try {
      await deleteSession()
    } catch (error) {
      // A session that is over already is signed out.
      if (!(error instanceof ApiError) || error.word !== 'unauthenticated') throw error
    }
    me.value = undefined
    await load()
    restartEvents()
  }

  return { me, failed, known, anonymous, speed, demo, zone, may, now, load, signIn, signOut }
})
