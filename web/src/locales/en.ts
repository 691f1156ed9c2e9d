import element from 'element-plus/es/locale/lang/en.mjs'
import { gather } from './gather'

export { element }

export default gather(import.meta.glob<Record<string, unknown>>('./en/*.json', { eager: true, import: 'default' }))
