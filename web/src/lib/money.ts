/** An amount of US dollars in a locale, without cents from a hundred on. */
export function formatMoney(usd: number, locale: string): string {
  const digits = Math.abs(usd) >= 100 ? 0 : 2
  return new Intl.NumberFormat(locale, {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(usd)
}

/** A count in a locale: `100,000`. */
export function formatCount(count: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }).format(count)
}

/** Hours in a locale: one digit behind the point below ten, none above. */
export function formatHours(hours: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: Math.abs(hours) < 10 ? 1 : 0 }).format(hours)
}
