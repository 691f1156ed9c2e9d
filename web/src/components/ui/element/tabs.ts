import 'element-plus/es/components/tabs/style/css.mjs'

export { ElTabPane, ElTabs } from 'element-plus/es/components/tabs/index.mjs'
