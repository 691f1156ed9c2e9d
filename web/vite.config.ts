import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// The folder of the build is kept in git by this file alone, so that the Go
// program is built without Node too. A build empties the folder and puts it back.
const keepFolder: Plugin = {
  name: 'keep-folder',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: '.gitignore', source: '*\n!.gitignore\n' })
  },
}

// Where `npm run dev` finds the API: a running `dayshift demo` or `dayshift serve`.
const server = process.env.DAYSHIFT_SERVER ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [vue(), keepFolder],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    target: 'es2022',
    // Nothing inline: the Content-Security-Policy of the server allows files of its own only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // ECharts is the largest part by far and comes with the pages that draw with it only.
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    // Against tests that hang; a machine under load is no fault.
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
    // Tests of times name their zone; the machine's own must not matter.
    env: { TZ: 'Pacific/Kiritimati' },
    server: { deps: { inline: ['element-plus'] } },
  },
})
