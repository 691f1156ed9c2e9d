import 'element-plus/es/components/button/style/css.mjs'

export { ElButton } from 'element-plus/es/components/button/index.mjs'
