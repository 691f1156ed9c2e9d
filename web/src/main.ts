import { localeContextKey } from 'element-plus/es/hooks/use-locale/index.mjs'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { whenUnauthenticated } from './api/client'
import { elementLocale, i18n, show } from './i18n'
import { router } from './router'
import { usePreferences } from './stores/preferences'
import { useSession } from './stores/session'

const app = createApp(App)
app.use(createPinia())
app.use(i18n)
app.provide(localeContextKey, elementLocale)

const session = useSession()
// Asked at once; the router waits for the answer, the language is loaded meanwhile.
void session.load()

// A session that ended while the page was open: who one is now decides where one stays.
whenUnauthenticated(() => {
  if (session.known && !session.anonymous) {
    void session.load().then(() => {
      const { currentRoute } = router
      const needs = currentRoute.value.meta.needs
      if (session.anonymous && needs !== undefined && !session.may(needs) && router.hasRoute('signin')) {
        void router.push({ name: 'signin', query: { next: currentRoute.value.fullPath } })
      }
    })
  }
})

void show(usePreferences().locale).then(() => {
  app.use(router)
  app.mount('#app')
})
