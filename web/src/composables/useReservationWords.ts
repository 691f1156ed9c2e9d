import { useI18n } from 'vue-i18n'
import type { ReservationStatus } from '@/api/endpoints'
import { useFormat } from './useFormat'

/** How a reservation stands in the reader's language; a word that is not known is shown as it is. */
export function useReservationWords() {
  const { t, te } = useI18n()
  const format = useFormat()
  return {
    why: (word: string): string => (te(`reservations.why.${word}`) ? t(`reservations.why.${word}`) : word),
    state: (word: string): string => (te(`reservations.state.${word}`) ? t(`reservations.state.${word}`) : word),
    /** `4 × m5.large`. */
    what: (status: ReservationStatus): string => {
      const types = [...new Set(status.places.filter((p) => !p.alternative).map((p) => p.type))]
      return `${format.count(status.count)} × ${types.join(', ')}`
    },
    zones: (status: ReservationStatus): string => [...new Set(status.places.filter((p) => !p.alternative).map((p) => p.zone))].join(', '),
    /** The window that is open or comes next. */
    window: (status: ReservationStatus): string => {
      const { from, until } = status
      if (from && until) return t('reservations.window.between', { from: format.when(from), until: format.when(until) })
      if (until) return t('reservations.window.until', { until: format.when(until) })
      if (from) return t('reservations.window.from', { from: format.when(from) })
      return t(status.wanted > 0 ? 'reservations.window.always' : 'reservations.window.none')
    },
    perHour: (usd: number): string => t('reservations.perHour', { money: format.money(usd) }),
  }
}
