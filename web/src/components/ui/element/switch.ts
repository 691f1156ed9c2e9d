import 'element-plus/es/components/switch/style/css.mjs'

export { ElSwitch } from 'element-plus/es/components/switch/index.mjs'
