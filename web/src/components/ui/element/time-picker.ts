import 'element-plus/es/components/time-picker/style/css.mjs'

export { ElTimePicker } from 'element-plus/es/components/time-picker/index.mjs'
