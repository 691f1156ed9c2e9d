import { mount } from '@vue/test-utils'
import { expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import rules from '@/locales/en/rules.json'
import FilterRows from './FilterRows.vue'

const i18n = createI18n({ legacy: false, locale: 'en', messages: { en: { rules } } })

function rows(modelValue: string) {
  const wrapper = mount(FilterRows, { props: { modelValue, 'onUpdate:modelValue': (text: string) => void wrapper.setProps({ modelValue: text }) }, global: { plugins: [i18n] } })
  return wrapper
}

it('writes a filter from its rows', async () => {
  const wrapper = rows('tag:Name=batch-*')
  await wrapper.get<HTMLInputElement>('[aria-label="Condition 1: value"]').setValue('web-*')
  expect(wrapper.props('modelValue')).toBe('tag:Name=web-*')
})

it('shows a mistyped filter as the text that was typed', () => {
  const wrapper = rows('tagName=shop-*')
  expect(wrapper.find('.term').exists()).toBe(false)
  expect(wrapper.get('input').element.value).toBe('tagName=shop-*')
})

it('offers rows for a text once rows can hold it', async () => {
  const wrapper = rows('tagName=shop-*')
  expect(wrapper.text()).not.toContain('Show as rows')
  await wrapper.get('input').setValue('tag:Name=shop-*')
  expect(wrapper.text()).toContain('Show as rows')
})
