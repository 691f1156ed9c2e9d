import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { createI18n } from 'vue-i18n'
import type { KeyChange, KeyRequest, KeyView } from '@/api/endpoints'
import { ApiError } from '@/lib/problem'
import en from '@/locales/en'
import KeyForm from './KeyForm.vue'

vi.mock('@/api/endpoints', () => ({ getMe: vi.fn(), signIn: vi.fn(), signOut: vi.fn() }))
vi.mock('@/api/events', () => ({ restartEvents: vi.fn() }))

const held: KeyView = {
  id: 'aaaaaaaa', label: 'deploys', prefix: 'dsk_aaaaaaaa', role: 'operator', within: 'tag:Team=shop', state: 'active', secrets: [], version: 7, author: 'kim',
  rate: { per_second: 10, burst: 20 }, quota: { limit: 1000, per: 'day', used: 3, resets: '2027-02-06T00:00:00Z' }, expires: '2027-03-01T00:00:00Z', created: '2027-01-01T00:00:00Z', changed: '2027-01-01T00:00:00Z',
}

async function shown(save: (request: KeyRequest | KeyChange) => Promise<void>, key?: KeyView) {
  const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: en as never } })
  const form = mount(KeyForm, { props: { modelValue: false, held: key, save }, global: { plugins: [i18n] }, attachTo: document.body })
  await form.setProps({ modelValue: true })
  await flushPromises()
  const field = (id: string): HTMLInputElement => {
    const found = document.querySelector<HTMLInputElement>(`#${id}`)
    if (found === null) throw new Error(`no field ${id}`)
    return found
  }
  return {
    form,
    async enter(id: string, text: string) {
      const input = field(id)
      input.value = text
      input.dispatchEvent(new Event('input'))
      input.dispatchEvent(new Event('change'))
      await nextTick()
    },
    async submit() {
      document.querySelector('#key-form')?.dispatchEvent(new Event('submit', { cancelable: true }))
      await flushPromises()
    },
    faults: () => [...document.querySelectorAll('[role="alert"]')].map((alert) => alert.textContent),
  }
}

beforeEach(() => {
  setActivePinia(createPinia())
  document.body.innerHTML = ''
})

// A form of many fields takes its time on a busy machine.
describe('a key', { timeout: 30_000 }, () => {
  it('is made with what was entered, and nothing that was not', async () => {
    const save = vi.fn(() => Promise.resolve())
    const { enter, submit, form } = await shown(save)
    await enter('key-label', '  night shift ')
    await enter('key-quota', '500')
    await submit()
    expect(save).toHaveBeenCalledTimes(1)
    const [[request]] = save.mock.calls as unknown as [[KeyRequest]]
    expect(request).toMatchObject({ label: 'night shift', role: 'viewer', quota: { limit: 500, per: 'day' } })
    expect(request).not.toHaveProperty('within')
    expect(request).not.toHaveProperty('rate')
    // In 90 days, where nothing else was chosen.
    expect((Date.parse(request.expires ?? '') - Date.now()) / 86_400_000).toBeCloseTo(90, 1)
    expect(form.emitted('update:modelValue')).toEqual([[false]])
  })

  it('is not made without a name', async () => {
    const save = vi.fn(() => Promise.resolve())
    const { submit, faults } = await shown(save)
    await submit()
    expect(save).not.toHaveBeenCalled()
    expect(faults().join()).toContain('Give it a name')
  })

  it('is changed in its version, and what was emptied is unset', async () => {
    const save = vi.fn(() => Promise.resolve())
    const { enter, submit } = await shown(save, held)
    await enter('key-within', '')
    await enter('key-quota', '')
    await submit()
    const [[change]] = save.mock.calls as unknown as [[KeyChange]]
    expect(change).toMatchObject({ label: 'deploys', role: 'operator', version: 7, disabled: false, rate: { per_second: 10, burst: 20 }, unset: ['within', 'quota'] })
    expect(change).not.toHaveProperty('expires')
  })

  it('shows at its field what the server refuses, and stays open', async () => {
    const refused = new ApiError({ type: '/problems/invalid', title: '', status: 422, errors: [{ location: 'body.within', message: 'unknown field "tga"' }] })
    const { enter, submit, faults, form } = await shown(() => Promise.reject(refused))
    await enter('key-label', 'x')
    await enter('key-within', 'tga:Team=shop')
    await submit()
    expect(faults()).toEqual(['unknown field "tga"'])
    expect(document.querySelector('#key-within')?.getAttribute('aria-invalid')).toBe('true')
    expect(form.emitted('update:modelValue')).toBeUndefined()
  })
})
