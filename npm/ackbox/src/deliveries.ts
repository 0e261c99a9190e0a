/**
 * Deliveries that are not over, by their tokens. Tokens of one run follow each other, so they are kept in pages of
 * neighbours: a `Map` of single tokens, into which and out of which all of them go, builds itself anew all the time.
 */
import type { ActiveDelivery } from './delivery.js'

/** Tokens of one page. A delivery that runs for long keeps one page alive. */
const PAGE_TOKENS = 512

interface Page {
  readonly number: number
  readonly deliveries: (ActiveDelivery | undefined)[]
  count: number
}

export class Deliveries {
  readonly #pages = new Map<number, Page>()
  /** The page that was asked for last: most likely the next one asked for. */
  #recent: Page | undefined

  set(token: number, delivery: ActiveDelivery): void {
    const page = this.#page(token) ?? this.#addPage(Math.floor(token / PAGE_TOKENS))
    const place = token % PAGE_TOKENS
    if (page.deliveries[place] === undefined) page.count++
    page.deliveries[place] = delivery
  }

  get(token: number): ActiveDelivery | undefined {
    return this.#page(token)?.deliveries[token % PAGE_TOKENS]
  }

  delete(token: number): void {
    const page = this.#page(token)
    const place = token % PAGE_TOKENS
    if (page?.deliveries[place] === undefined) return
    page.deliveries[place] = undefined
    page.count--
    if (page.count > 0) return
    this.#pages.delete(page.number)
    this.#recent = undefined
  }

  /** All of them as they are now. */
  all(): ActiveDelivery[] {
    const all: ActiveDelivery[] = []
    for (const { deliveries } of this.#pages.values()) {
      for (const delivery of deliveries) if (delivery !== undefined) all.push(delivery)
    }
    return all
  }

  #page(token: number): Page | undefined {
    const number = Math.floor(token / PAGE_TOKENS)
    if (this.#recent?.number === number) return this.#recent
    const page = this.#pages.get(number)
    if (page !== undefined) this.#recent = page
    return page
  }

  #addPage(number: number): Page {
    const deliveries = new Array<ActiveDelivery | undefined>(PAGE_TOKENS).fill(undefined)
    const page = { number, deliveries, count: 0 }
    this.#pages.set(number, page)
    this.#recent = page
    return page
  }
}
