/** A problem document (RFC 9457) as the server writes it. */
export interface Problem {
  type: string
  title: string
  status: number
  detail?: string
  errors?: ProblemField[]
  /** Of `unconfirmed`: the answer of the request, with what it would do. */
  answer?: unknown
}

/** One fault of a request: where, and what is allowed. */
export interface ProblemField {
  location?: string
  message: string
  value?: unknown
}

/** The words behind `/problems/`, and two of the page's own for what never reached the server. */
export type ProblemWord =
  | 'invalid'
  | 'not-found'
  | 'stale'
  | 'locked'
  | 'unconfirmed'
  | 'forbidden'
  | 'outside'
  | 'unauthenticated'
  | 'rate'
  | 'quota'
  | 'too-large'
  | 'unavailable'
  | 'internal'
  | 'offline'
  | 'timeout'

/** What went wrong with a request: always with a problem, also where the answer had none. */
export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    /** How long to wait before another try, in seconds, where the server said so. */
    readonly retryAfter?: number,
  ) {
    super(problem.detail ?? problem.title)
    this.name = 'ApiError'
  }

  get status(): number {
    return this.problem.status
  }

  get word(): ProblemWord {
    return this.problem.type.replace(/^.*\/problems\//, '') as ProblemWord
  }

  /** The faults by the field that they name, without the place of the request that holds it: `body.`, `query.`. */
  get fields(): Map<string, string> {
    const out = new Map<string, string>()
    for (const { location, message } of this.problem.errors ?? []) {
      const field = (location ?? '').replace(/^(body|query|path|header)\.?/, '')
      out.set(field, out.has(field) ? `${out.get(field)} ${message}` : message)
    }
    return out
  }
}

/** The word for an answer whose body names none. */
export function wordOf(status: number): ProblemWord {
  switch (status) {
    case 401:
      return 'unauthenticated'
    case 403:
      return 'forbidden'
    case 404:
    case 410:
      return 'not-found'
    case 409:
    case 412:
    case 428:
      return 'stale'
    case 413:
      return 'too-large'
    case 429:
      return 'rate'
    case 502:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return status >= 500 ? 'internal' : 'invalid'
  }
}
