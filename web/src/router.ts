import { type RouteRecordRaw, createRouter, createWebHistory } from 'vue-router'
import { reachable } from '@/api/client'
import { i18n } from '@/i18n'
import { type Permission, useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    title: string
    /** What a reader must be allowed for the page to show anything; none for pages without a fleet. */
    needs?: Permission
  }
}

// One line a page. Each comes as a file of its own when it is first visited.
const routes: RouteRecordRaw[] = [
  { path: '/', name: 'overview', component: () => import('@/views/Overview.vue'), meta: { title: 'nav.overview', needs: 'read' } },
  { path: '/fleet', name: 'fleet', component: () => import('@/views/Fleet.vue'), meta: { title: 'nav.fleet', needs: 'read' } },
  { path: '/fleet/:account/:region/:kind/:id(.*)', name: 'resource', component: () => import('@/views/Resource.vue'), meta: { title: 'nav.fleet', needs: 'read' } },
  { path: '/schedules', name: 'schedules', component: () => import('@/views/Schedules.vue'), meta: { title: 'nav.schedules', needs: 'read' } },
  // Beside the names of schedules and rules, which can be anything.
  { path: '/new/schedule', name: 'schedule-new', component: () => import('@/views/Schedule.vue'), meta: { title: 'schedules.newTitle', needs: 'edit' } },
  { path: '/schedules/:name', name: 'schedule', component: () => import('@/views/Schedule.vue'), meta: { title: 'nav.schedules', needs: 'read' } },
  { path: '/holidays', name: 'holidays', component: () => import('@/views/Holidays.vue'), meta: { title: 'nav.holidays', needs: 'read' } },
  { path: '/exceptions', name: 'exceptions', component: () => import('@/views/Exceptions.vue'), meta: { title: 'nav.exceptions', needs: 'read' } },
  { path: '/rules', name: 'rules', component: () => import('@/views/Rules.vue'), meta: { title: 'nav.rules', needs: 'read' } },
  { path: '/new/rule', name: 'rule-new', component: () => import('@/views/Rule.vue'), meta: { title: 'rules.newTitle', needs: 'edit' } },
  { path: '/rules/:name', name: 'rule', component: () => import('@/views/Rule.vue'), meta: { title: 'nav.rules', needs: 'read' } },
  { path: '/workloads', name: 'workloads', component: () => import('@/views/Workloads.vue'), meta: { title: 'nav.workloads', needs: 'read' } },
  { path: '/new/workload', name: 'workload-new', component: () => import('@/views/WorkloadEdit.vue'), meta: { title: 'workloads.newTitle', needs: 'edit' } },
  { path: '/workloads/:name', name: 'workload', component: () => import('@/views/Workload.vue'), meta: { title: 'nav.workloads', needs: 'read' } },
  { path: '/workloads/:name/definition', name: 'workload-edit', component: () => import('@/views/WorkloadEdit.vue'), meta: { title: 'nav.workloads', needs: 'read' } },
  { path: '/workloads/:name/runs/:id', name: 'workload-run', component: () => import('@/views/WorkloadRun.vue'), meta: { title: 'nav.workloads', needs: 'read' } },
  { path: '/reservations', name: 'reservations', component: () => import('@/views/Reservations.vue'), meta: { title: 'nav.reservations', needs: 'read' } },
  { path: '/new/reservation', name: 'reservation-new', component: () => import('@/views/ReservationEdit.vue'), meta: { title: 'reservations.new', needs: 'edit' } },
  { path: '/reservations/:name', name: 'reservation', component: () => import('@/views/Reservation.vue'), meta: { title: 'nav.reservations', needs: 'read' } },
  { path: '/reservations/:name/definition', name: 'reservation-edit', component: () => import('@/views/ReservationEdit.vue'), meta: { title: 'nav.reservations', needs: 'read' } },
  { path: '/notifications', name: 'notifications', component: () => import('@/views/Notifications.vue'), meta: { title: 'nav.notifications', needs: 'read' } },
  { path: '/activity', name: 'activity', component: () => import('@/views/Activity.vue'), meta: { title: 'nav.activity', needs: 'read' } },
  { path: '/health', name: 'health', component: () => import('@/views/Health.vue'), meta: { title: 'nav.health', needs: 'read' } },
  { path: '/keys', name: 'keys', component: () => import('@/views/Keys.vue'), meta: { title: 'nav.keys', needs: 'read' } },
  { path: '/about', name: 'about', component: () => import('@/views/About.vue'), meta: { title: 'nav.about' } },
  { path: '/signin', name: 'signin', component: () => import('@/views/SignIn.vue'), meta: { title: 'signin.title' } },
  { path: '/:path(.*)*', name: 'missing', component: () => import('@/views/Missing.vue'), meta: { title: 'nav.missing' } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
})

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.known) await session.load()
  // Without an answer the page stays where it is and says that the server is away.
  if (!session.known || to.meta.needs === undefined || session.may(to.meta.needs)) return true
  // Who is signed in and may not is told so by the page; who is not may sign in.
  if (session.anonymous && router.hasRoute('signin')) {
    return { name: 'signin', query: to.fullPath === '/' ? {} : { next: to.fullPath }, replace: true }
  }
  return true
})

router.afterEach((to) => {
  const { t } = i18n.global
  document.title = to.name === 'overview' ? 'Dayshift' : `${t(to.meta.title)} · Dayshift`
})

// After an update of the server the old files are gone; the page as a whole is asked for once more. Where the
// server is away, that would leave the browser's own error page: then one stays, and is told.
router.onError(async (error, to) => {
  if (!/dynamically imported module|module script failed|preload CSS/i.test(String(error))) return
  try {
    await fetch('/healthz', { cache: 'no-store' })
  } catch {
    reachable.value = false
    return
  }
  const key = 'dayshift.reloaded'
  try {
    if (sessionStorage.getItem(key) === to.fullPath) return
    sessionStorage.setItem(key, to.fullPath)
  } catch {
    return
  }
  window.location.assign(to.fullPath)
})
