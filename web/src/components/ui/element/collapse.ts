import 'element-plus/es/components/collapse/style/css.mjs'
import 'element-plus/es/components/collapse-item/style/css.mjs'

export { ElCollapse, ElCollapseItem } from 'element-plus/es/components/collapse/index.mjs'
