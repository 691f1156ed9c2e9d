import { type MountingOptions, type VueWrapper, mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { createMemoryHistory, createRouter } from 'vue-router'
import { i18n, show } from '@/i18n'

/** Mounts a component as the page does: in English, with a router of every path, and a store of its own. For tests. */
export async function mounted(component: unknown, options: MountingOptions<Record<string, unknown>> & { slots?: object } = {}): Promise<VueWrapper> {
  await show('en')
  const router = createRouter({
    history: createMemoryHistory(),
    routes: ['overview', 'fleet', 'schedule', 'signin'].map((name) => ({ name, path: name === 'overview' ? '/' : `/${name}`, component: { render: () => null } })),
  })
  await router.push('/')
  return mount(component as never, { ...options, global: { plugins: [createPinia(), i18n, router], stubs: { teleport: true, transition: false }, ...options.global } } as never)
}
