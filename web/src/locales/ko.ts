import { gather } from './gather'

export default gather(import.meta.glob<Record<string, unknown>>('./ko/*.json', { eager: true, import: 'default' }))
