import { useI18n } from 'vue-i18n'
import { formatDuration, formatRelative } from '@/lib/duration'
import { formatCount, formatHours, formatMoney } from '@/lib/money'
import { clockOf, formatDate, formatFull, formatWhen, instant, knownZone, withInstants } from '@/lib/time'
import { useSession } from '@/stores/session'

/** What the page writes times, durations and numbers with: the reader's language, the configuration's zone, the server's clock. */
export function useFormat() {
  const { locale } = useI18n()
  const session = useSession()
  const zone = (other?: string): string => knownZone(other ?? session.zone)

  return {
    /** `18:00`, `tomorrow 08:00`, `Fri 18:00`, `5 Feb 08:00`; empty for no time. */
    when(at: string | number | null | undefined, inZone?: string): string {
      const ms = typeof at === 'number' ? at : instant(at)
      return ms === undefined ? '' : formatWhen(ms, session.now(), zone(inZone), locale.value)
    },
    full(at: string | number | null | undefined, inZone?: string): string {
      const ms = typeof at === 'number' ? at : instant(at)
      return ms === undefined ? '' : formatFull(ms, zone(inZone), locale.value)
    },
    clock(at: string | number | null | undefined, inZone?: string): string {
      const ms = typeof at === 'number' ? at : instant(at)
      return ms === undefined ? '' : clockOf(ms, zone(inZone))
    },
    /** `in 2 hr`, `3 min ago`, from the server's clock. */
    relative(at: string | number | null | undefined): string {
      const ms = typeof at === 'number' ? at : instant(at)
      return ms === undefined ? '' : formatRelative((ms - session.now()) / 1_000, locale.value)
    },
    /** A sentence of the server with the instants in it as this page writes them. */
    said: (text: string): string => withInstants(text, (at) => formatWhen(at, session.now(), zone(), locale.value)),
    date: (date: string, options?: Intl.DateTimeFormatOptions): string => formatDate(date, locale.value, options),
    duration: (seconds: number): string => formatDuration(seconds, locale.value),
    count: (count: number): string => formatCount(count, locale.value),
    hours: (hours: number): string => formatHours(hours, locale.value),
    money: (usd: number): string => formatMoney(usd, locale.value),
  }
}
