/**
 * `Retry-After` of HTTP responses (RFC 9110): seconds, or a date in any of its three forms. What a server sends may be
 * anything: nothing here throws, and what cannot be read is no time.
 */

/** Headers of a response: `Headers` and its likes in HTTP clients, Node's `IncomingHttpHeaders`, or a plain object. */
export type HeadersLike = { get(name: string): unknown } | Readonly<Record<string, unknown>>

/** A server that asks for more is not believed: a day. */
export const RETRY_AFTER_MAX_MS = 86_400_000

/** From now, or at an instant, in milliseconds. */
export type RetryTime = { readonly delayMs: number } | { readonly at: number }

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})'
/** In the order of their ages, youngest first: the form of today, that of RFC 850, and that of C's asctime. */
const DATE_FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{1,2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${DAY}[a-z]*, (?<day>\\d{1,2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  new RegExp(`^${DAY} ${MONTH} {1,2}(?<day>\\d{1,2}) ${TIME} (?<year>\\d{4})$`),
]

/** When a response wants to be asked again; `undefined` if it does not say so in a way that can be read. */
export function retryTimeOf(headers: HeadersLike): RetryTime | undefined {
  const value = headerOf(headers, 'retry-after')
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return { delayMs: Math.min(Number(value) * 1000, RETRY_AFTER_MAX_MS) }
  const at = parseHttpDate(value)
  if (at === undefined) return undefined
  // The server's clock, where it told the time: then ours need not agree with it.
  const sentAt = parseHttpDate(headerOf(headers, 'date') ?? '')
  if (sentAt === undefined) return { at }
  return { delayMs: Math.min(Math.max(0, at - sentAt), RETRY_AFTER_MAX_MS) }
}

/** Milliseconds from `now` until that time, 0 if it has passed, a day at most. */
export function delayUntil(time: RetryTime, now: number): number {
  const delay = 'at' in time ? time.at - now : time.delayMs
  return Math.min(Math.max(0, delay), RETRY_AFTER_MAX_MS)
}

/** Whether something may be the headers of a response. */
export function isHeadersLike(value: unknown): value is HeadersLike {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** A header by its name in lower case. */
function headerOf(headers: HeadersLike, name: string): string | undefined {
  try {
    const value = typeof headers.get === 'function' ? headers.get(name) : propertyOf(headers, name)
    // A header that came twice: the first counts.
    const first: unknown = Array.isArray(value) ? value[0] : value
    return typeof first === 'string' || typeof first === 'number' ? String(first).trim() : undefined
  } catch {
    return undefined
  }
}

function propertyOf(headers: object, name: string): unknown {
  const key = Object.keys(headers).find((key) => key.toLowerCase() === name)
  return key === undefined ? undefined : (headers as Record<string, unknown>)[key]
}

function parseHttpDate(text: string): number | undefined {
  for (const form of DATE_FORMS) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const { day, month, year, hour, minute, second } = parts as Record<string, string>
    const at = Date.UTC(fullYear(year!), MONTHS.indexOf(month!), Number(day), Number(hour), Number(minute), Number(second))
    return Number.isNaN(at) ? undefined : at
  }
  return undefined
}

/** Two digits name a year from 1970 to 2069. */
function fullYear(digits: string): number {
  const year = Number(digits)
  if (digits.length > 2) return year
  return year < 70 ? 2000 + year : 1900 + year
}
