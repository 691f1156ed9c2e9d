import vue from 'eslint-plugin-vue'
import tseslint from 'typescript-eslint'

// lib ← api ← stores ← composables ← components/<domain> ← views ← router;
// components/ui knows lib only. What a folder must not import stands here.
const layers = ['lib', 'api', 'stores', 'composables', 'components', 'views', 'router']

const above = (layer) => layers.slice(layers.indexOf(layer) + 1)

const forbid = (files, forbidden) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: forbidden.map((name) => ({
          group: [`@/${name}`, `@/${name}/**`, `**/../${name}`, `**/../${name}/**`],
          message: `Imports go in one direction: ${layers.join(' ← ')}.`,
        })),
      },
    ],
  },
})

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'src/api/types.gen.ts'] },
  ...tseslint.configs.strict,
  ...tseslint.configs.stylistic,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    rules: {
      // Names come from folders: Overview, Fleet.
      'vue/multi-word-component-names': 'off',
      // How lines are broken is left to the one who writes them.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/attributes-order': 'off',
      'vue/require-default-prop': 'off',
      // Names, tags and reasons are hostile text.
      'vue/no-v-html': 'error',
      'vue/no-v-text-v-html-on-component': 'error',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/define-macros-order': ['error', { order: ['defineOptions', 'defineModel', 'defineProps', 'defineEmits', 'defineSlots'] }],
      // The Content-Security-Policy refuses style attributes in HTML; bindings go through the CSSOM.
      'vue/no-static-inline-styles': 'error',
      // Every text for people is in locales/.
      'vue/no-bare-strings-in-template': [
        'error',
        { allowlist: ['Dayshift', '·', '—', '–', '/', ':', '+', '×', '→', '…', '%', '(', ')', ',', '.', '@', '#', '&', '-', '|', '*', '09:00'] },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  // Programs of the terminal speak there.
  { files: ['e2e/**'], rules: { 'no-console': 'off' } },
  forbid(['src/lib/**'], above('lib')),
  forbid(['src/api/**'], above('api')),
  forbid(['src/stores/**'], above('stores')),
  forbid(['src/composables/**'], above('composables')),
  forbid(['src/components/**'], above('components')),
  forbid(['src/components/ui/**'], layers.filter((l) => l !== 'lib' && l !== 'components')),
  forbid(['src/views/**'], above('views')),
)
