import 'element-plus/es/components/segmented/style/css.mjs'

export { ElSegmented } from 'element-plus/es/components/segmented/index.mjs'
