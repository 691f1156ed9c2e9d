import type { IconName } from '@/components/ui/UiIcon.vue'
import type { Permission } from '@/stores/session'

export interface NavItem {
  name: string
  title: string
  icon: IconName
  needs?: Permission
  /** Stands in the bar at the bottom of a phone; the others are behind "More". */
  bar?: boolean
}

/** The pages in the order of the navigation, in groups. */
export const nav: NavItem[][] = [
  [
    { name: 'overview', title: 'nav.overview', icon: 'overview', needs: 'read', bar: true },
    { name: 'fleet', title: 'nav.fleet', icon: 'fleet', needs: 'read', bar: true },
  ],
  [
    { name: 'schedules', title: 'nav.schedules', icon: 'schedules', needs: 'read', bar: true },
    { name: 'workloads', title: 'nav.workloads', icon: 'workloads', needs: 'read' },
    { name: 'holidays', title: 'nav.holidays', icon: 'holidays', needs: 'read' },
    { name: 'exceptions', title: 'nav.exceptions', icon: 'exceptions', needs: 'read' },
    { name: 'rules', title: 'nav.rules', icon: 'rules', needs: 'read' },
    { name: 'reservations', title: 'nav.reservations', icon: 'reservations', needs: 'read' },
  ],
  [
    { name: 'notifications', title: 'nav.notifications', icon: 'notifications', needs: 'read' },
    { name: 'activity', title: 'nav.activity', icon: 'activity', needs: 'read', bar: true },
    { name: 'health', title: 'nav.health', icon: 'health', needs: 'read' },
    { name: 'keys', title: 'nav.keys', icon: 'keys', needs: 'manage' },
  ],
  [{ name: 'about', title: 'nav.about', icon: 'about' }],
]
