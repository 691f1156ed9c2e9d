import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createI18n } from 'vue-i18n'
import { createMemoryHistory, createRouter } from 'vue-router'
import * as api from '@/api/endpoints'
import { crc32 } from '@/lib/apiKey'
import { ApiError } from '@/lib/problem'
import en from '@/locales/en'
import { useSession } from '@/stores/session'
import SignIn from './SignIn.vue'

vi.mock('@/api/endpoints', () => ({ getMe: vi.fn(), signIn: vi.fn(), signOut: vi.fn() }))
vi.mock('@/api/events', () => ({ restartEvents: vi.fn() }))

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const front = 'dsk_0aZ9bY8c_abcdefghijklmnopqrstuvwxyz012345'
let sum = crc32(front)
let tail = ''
for (let i = 0; i < 6; i++, sum = Math.floor(sum / 62)) tail = alphabet.charAt(sum % 62) + tail
const key = `${front}_${tail}`

const me = { anonymous: false, id: 'key:0aZ9bY8c', name: 'Kim', role: 'viewer', via: 'session', permissions: ['read'], now: '2027-02-05T09:00:00Z', speed: 1, demo: false, leader: true, sign_in: ['key'] } as unknown as api.Me

async function shown(path: string) {
  const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: en as never } })
  const blank = { template: '<div />' }
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/signin', name: 'signin', component: blank }, { path: '/:rest(.*)*', component: blank }] })
  await router.push(path)
  const page = mount(SignIn, { global: { plugins: [i18n, router] }, attachTo: document.body })
  return {
    page,
    router,
    async enter(text: string) {
      await page.get('input').setValue(text)
      await page.get('form').trigger('submit')
      await flushPromises()
    },
    fault: () => (page.find('[role="alert"]').exists() ? page.get('[role="alert"]').text() : ''),
  }
}

beforeEach(() => {
  setActivePinia(createPinia())
  vi.mocked(api.signIn).mockReset()
  localStorage.clear()
  sessionStorage.clear()
  document.body.innerHTML = ''
})

describe('signing in', { timeout: 30_000 }, () => {
  it('takes the key of a link in the demo alone, and leaves none in the address', async () => {
    vi.mocked(api.signIn).mockResolvedValue(me)
    for (const demo of [true, false]) {
      vi.mocked(api.signIn).mockClear()
      setActivePinia(createPinia())
      useSession().me = { ...me, anonymous: true, demo }
      const { router } = await shown(`/signin#${key}`)
      await flushPromises()
      expect(vi.mocked(api.signIn).mock.calls).toEqual(demo ? [[key]] : [])
      if (demo) expect(router.currentRoute.value.fullPath).toBe('/')
    }
  })

  it('sends a whole key once, goes on to where one was, and keeps the key nowhere', async () => {
    vi.mocked(api.signIn).mockResolvedValue(me)
    const { enter, router, page } = await shown('/signin?next=/fleet?q=web')
    await enter(` Bearer ${key}\n`)
    expect(vi.mocked(api.signIn).mock.calls).toEqual([[key]])
    expect(router.currentRoute.value.fullPath).toBe('/fleet?q=web')
    expect(page.html()).not.toContain('dsk_0aZ9bY8c')
    expect([JSON.stringify(localStorage), JSON.stringify(sessionStorage)].join()).not.toContain('dsk_')
  })

  it('goes to the overview when a link wants to lead elsewhere', async () => {
    vi.mocked(api.signIn).mockResolvedValue(me)
    const { enter, router } = await shown('/signin?next=//evil.example')
    await enter(key)
    expect(router.currentRoute.value.fullPath).toBe('/')
  })

  it.each([
    ['nothing', '', 'Enter a key'],
    ['a slip of the hand', key.replace('abcdef', 'abcdeg'), 'not a whole key'],
  ])('asks the server nothing for %s', async (_, text, said) => {
    const { enter, fault } = await shown('/signin')
    await enter(text)
    expect(api.signIn).not.toHaveBeenCalled()
    expect(fault()).toContain(said)
  })

  it.each([
    ['expired', new ApiError({ type: '/problems/unauthenticated', title: '', status: 401, detail: 'this key has expired' }), 'has expired'],
    ['unknown', new ApiError({ type: '/problems/unauthenticated', title: '', status: 401, detail: 'this key is unknown' }), 'not accepted'],
    ['too fast', new ApiError({ type: '/problems/rate', title: '', status: 429 }, 17), 'Wait 17 s'],
    ['away', new ApiError({ type: '/problems/offline', title: '', status: 0 }), 'does not answer'],
  ])('says what to do when the key is refused: %s', async (_, error, said) => {
    vi.mocked(api.signIn).mockRejectedValue(error)
    const { enter, fault, page } = await shown('/signin')
    await enter(key)
    expect(fault()).toContain(said)
    expect(page.get('input').attributes('aria-invalid')).toBe('true')
    expect(page.get('button[type="submit"]').attributes('disabled')).toBeUndefined()
  })

  it('says why an identity provider sent somebody back', async () => {
    const { page } = await shown('/signin?fault=stale')
    expect(page.text()).toContain('took too long')
    const unknown = await shown('/signin?fault=%3Cimg%20src=x%3E')
    expect(unknown.page.find('img').exists()).toBe(false)
    expect(unknown.page.text()).toContain('log says why')
  })
})
