const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const form = /^dsk_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_([0-9A-Za-z]{6})$/

/** A key as it was pasted, without what clings to it: blanks, quotes, a header's word before it. */
export function cleanKey(text: string): string {
  return text
    .trim()
    .replace(/^(authorization:\s*)?(bearer|x-api-key:)\s+/i, '')
    .replace(/^["'`]+|["'`,;]+$/g, '')
    .trim()
}

/** CRC-32 (IEEE) of ASCII text. */
export function crc32(text: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) & 0xff
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

/**
 * Whether a text is a whole key: its form, and the checksum at its end. A slip of the hand is found
 * without a question to the server, which counts wrong keys.
 */
export function isWholeKey(text: string): boolean {
  const match = form.exec(text)
  if (match === null) return false
  let sum = crc32(text.slice(0, -7)) // what is before the last underscore
  let written = ''
  for (let i = 0; i < 6; i++) {
    written = alphabet.charAt(sum % 62) + written
    sum = Math.floor(sum / 62)
  }
  return written === match[1]
}

/** What a key may be, from little to much. */
export const roles = ['viewer', 'operator', 'editor', 'admin'] as const

/** How long a key may still live for its end to be worth a warning. */
export const soonSeconds = 14 * 86_400

/** The instant of an expiry that is chosen in a form, in milliseconds; undefined: never, null: no valid date. */
export function expiryAt(choice: 'never' | 'month' | 'quarter' | 'year' | 'date', date: string, now: number): number | undefined | null {
  const days = { month: 30, quarter: 90, year: 365 }
  if (choice === 'never') return undefined
  if (choice !== 'date') return now + days[choice] * 86_400_000
  const at = Date.parse(`${date}T00:00:00Z`)
  return Number.isNaN(at) || at <= now ? null : at
}
