import 'element-plus/es/components/config-provider/style/css.mjs'

export { ElConfigProvider } from 'element-plus/es/components/config-provider/index.mjs'
