/** No whole answer came, as the network has it: where the request went, and what is known of why. */
import { layersOf, read, textOf } from '../causes.js'

/** A request got no whole answer: nobody was there, or the connection was cut. `cause` is what `fetch` said. */
export class HttpNetworkError extends Error {
  override readonly name = 'HttpNetworkError'
  /** What the platform calls it, as `ECONNREFUSED`; browsers do not tell. */
  readonly code: string | undefined

  constructor(message: string, code: string | undefined, cause: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** What `fetch` and the bodies of its answers call errors of the network. Whatever else a `fetch` throws is its own. */
export function isOfNetwork(error: unknown): boolean {
  return typeof error === 'object' && error !== null && read(error, 'name') === 'TypeError'
}

/** Names the request, without the query of its address: that holds secrets at times, and errors are kept. */
export function networkError(request: string, url: URL, cause: unknown): HttpNetworkError {
  const code = textOf(cause, 'code')
  const coded = [...layersOf(cause)].find((layer) => read(layer, 'code') === code)
  const words = textOf(coded, 'message') ?? 'no words'
  const why = code === undefined || words.includes(code) ? words : `${code}: ${words}`
  const shown = url.search === '' ? why : why.replaceAll(url.search, '')
  return new HttpNetworkError(`${request}: no whole answer (${shown})`, code, cause)
}
