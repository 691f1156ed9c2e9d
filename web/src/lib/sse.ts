/** One message of an event stream. */
export interface Message {
  id: string
  type: string
  data: string
}

/**
 * A parser of text/event-stream (HTML standard, 9.2.6). Text comes in pieces cut anywhere;
 * `push` gives the messages that are complete with it. A message without data is dropped, as the standard wants.
 */
export function eventParser(): { push: (text: string) => Message[]; retry: () => number | undefined } {
  let rest = ''
  let id = ''
  let type = ''
  let data: string[] = []
  let retry: number | undefined

  function line(text: string, out: Message[]): void {
    if (text === '') {
      if (data.length > 0) out.push({ id, type: type === '' ? 'message' : type, data: data.join('\n') })
      type = ''
      data = []
      return
    }
    const colon = text.indexOf(':')
    if (colon === 0) return // a comment, which keeps the connection awake
    const field = colon < 0 ? text : text.slice(0, colon)
    let value = colon < 0 ? '' : text.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (field === 'data') data.push(value)
    else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d+$/.test(value)) retry = Number(value)
  }

  return {
    push(text) {
      const out: Message[] = []
      rest += text
      for (;;) {
        const end = rest.search(/[\r\n]/)
        // A carriage return at the very end may be the half of a line's end.
        if (end < 0 || (rest[end] === '\r' && end === rest.length - 1)) return out
        line(rest.slice(0, end), out)
        rest = rest.slice(rest.startsWith('\r\n', end) ? end + 2 : end + 1)
      }
    },
    retry: () => retry,
  }
}

/**
 * How long to wait before try `n` (1, 2, 3 …), in milliseconds: doubling from one second to
 * thirty, spread by a quarter so that pages do not come back all at once. `random` is in [0, 1).
 */
export function backOff(n: number, random: number): number {
  const wait = Math.min(30_000, 1_000 * 2 ** Math.min(n - 1, 10))
  return Math.round(wait * (0.75 + random * 0.5))
}
