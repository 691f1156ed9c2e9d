import 'element-plus/es/components/drawer/style/css.mjs'

export { ElDrawer } from 'element-plus/es/components/drawer/index.mjs'
