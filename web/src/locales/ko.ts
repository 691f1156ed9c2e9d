import element from 'element-plus/es/locale/lang/ko.mjs'
import { gather } from './gather'

export { element }

export default gather(import.meta.glob<Record<string, unknown>>('./ko/*.json', { eager: true, import: 'default' }))
