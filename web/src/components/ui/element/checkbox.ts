import 'element-plus/es/components/checkbox/style/css.mjs'

export { ElCheckbox } from 'element-plus/es/components/checkbox/index.mjs'
