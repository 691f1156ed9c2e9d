import { gather } from './gather'

export default gather(import.meta.glob<Record<string, unknown>>('./zh-CN/*.json', { eager: true, import: 'default' }))
