import element from 'element-plus/es/locale/lang/zh-cn.mjs'
import { gather } from './gather'

export { element }

export default gather(import.meta.glob<Record<string, unknown>>('./zh-CN/*.json', { eager: true, import: 'default' }))
