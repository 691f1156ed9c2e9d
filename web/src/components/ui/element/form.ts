import 'element-plus/es/components/form/style/css.mjs'
import 'element-plus/es/components/form-item/style/css.mjs'

export { ElForm, ElFormItem } from 'element-plus/es/components/form/index.mjs'
