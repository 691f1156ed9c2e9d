import { describe, expect, it } from 'vitest'
import { h } from 'vue'
import { ApiError } from '@/lib/problem'
import { mounted } from '@/testing'
import UiMenu from './UiMenu.vue'
import UiState from './UiState.vue'
import UiTable from './UiTable.vue'

const problem = (word: string, detail = ''): ApiError => new ApiError({ type: `/problems/${word}`, title: word, status: 400, detail })
const content = { default: ({ data }: { data: unknown }) => h('p', `data ${String(data)}`) }

describe('UiState', () => {
  it('says that it loads, before there is anything', async () => {
    const state = await mounted(UiState, { props: { load: { is: 'loading' } }, slots: content })
    expect(state.find('[role="status"]').text()).toBe('Loading')
  })

  it('keeps what was there while it is asked for again, and under a failure', async () => {
    const state = await mounted(UiState, { props: { load: { is: 'loading', data: 7 } }, slots: content })
    expect(state.text()).toBe('data 7')
    await state.setProps({ load: { is: 'failed', data: 7, error: problem('offline') } })
    expect(state.find('[role="alert"]').text()).toContain('The server cannot be reached')
    expect(state.text()).toContain('data 7')
    await state.find('button').trigger('click')
    expect(state.emitted('retry')).toHaveLength(1)
  })

  it('offers no second try where permission is missing', async () => {
    const state = await mounted(UiState, { props: { load: { is: 'failed', error: problem('forbidden') } }, slots: content })
    expect(state.text()).toContain('You may not do this')
    expect(state.find('button').exists()).toBe(false)
  })

  it('shows what a server writes as text', async () => {
    const state = await mounted(UiState, { props: { load: { is: 'failed', error: problem('invalid', '<img src=x onerror=alert(1)>') } }, slots: content })
    expect(state.find('img').exists()).toBe(false)
    expect(state.text()).toContain('<img src=x onerror=alert(1)>')
  })
})

describe('UiTable', () => {
  const props = {
    columns: [{ key: 'name', title: 'Name', sortable: true }, { key: 'state', title: 'State' }],
    rows: [{ id: 'a', name: '<b>x</b>' }, { id: 'b', name: 'y' }],
    rowKey: (row: { id: string }) => row.id,
    rowName: (row: { name: string }) => row.name,
    caption: 'Things',
    sort: 'name',
    selected: new Set(['b']),
  }
  const slots = { name: ({ row }: { row: { name: string } }) => h('span', row.name) }

  it('says how it is sorted and asks for the other direction', async () => {
    const table = await mounted(UiTable, { props, slots })
    expect(table.find('th[aria-sort]').attributes('aria-sort')).toBe('ascending')
    await table.find('th button').trigger('click')
    expect(table.emitted('sort')).toEqual([['-name']])
  })

  it('selects rows without forgetting those of other pages, and names each box', async () => {
    const table = await mounted(UiTable, { props: { ...props, selected: new Set(['b', 'elsewhere']) }, slots })
    const boxes = table.findAll<HTMLInputElement>('input')
    expect(boxes.map((box) => box.attributes('aria-label'))).toEqual(['Select all on this page', 'Select <b>x</b>', 'Select y'])
    await boxes[1]?.setValue(true)
    await boxes[0]?.setValue(true)
    expect(table.emitted('select')).toEqual([[new Set(['b', 'elsewhere', 'a'])], [new Set(['b', 'elsewhere', 'a'])]])
    expect(table.find('b').exists()).toBe(false)
  })
})

describe('UiMenu', () => {
  it('is walked with the arrows, chosen from, and left with Escape', async () => {
    const menu = await mounted(UiMenu, {
      attachTo: document.body,
      props: { label: 'Language', chosen: 'ko', items: [{ value: 'en', text: 'English' }, { value: 'ko', text: '한국어' }] },
    })
    const opener = menu.find('.opener')
    await opener.trigger('click')
    expect(document.activeElement?.textContent).toBe('한국어')
    await menu.find('[role="menu"]').trigger('keydown', { key: 'ArrowDown' })
    expect(document.activeElement?.textContent).toBe('English')
    await menu.find('[role="menu"]').trigger('keydown', { key: 'Escape' })
    expect(menu.find('[role="menu"]').exists()).toBe(false)
    expect(document.activeElement).toBe(opener.element)
    await opener.trigger('click')
    await menu.findAll('[role="menuitemradio"]')[0]?.trigger('click')
    expect(menu.emitted('choose')).toEqual([['en']])
    menu.unmount()
  })
})
