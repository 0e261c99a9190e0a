/**
 * What is asked for in one turn goes in one call: units of items for one place, gathered until the microtasks of the turn ran, and cut
 * where a call would keep the server busy for long.
 */

interface Unit<Item, Result> {
  readonly items: readonly Item[]
  readonly bytes: number
  readonly resolve: (results: Result[]) => void
  readonly reject: (error: unknown) => void
}

/** A call is cut behind so many items or bytes; a unit is never cut. */
const ITEMS_AT_ONCE = 1000
const BYTES_AT_ONCE = 1024 * 1024
/** Calls of one place under way: while these run, what comes is gathered. */
const CALLS_AT_ONCE = 4

/** Carries out a call: `sizes` tells how many of the items belong together. One result for each item. */
export type Call<Item, Result> = (items: readonly Item[], sizes: readonly number[]) => Promise<readonly Result[]>

/** Gathers for one transition of one queue. */
export class Batcher<Item, Result> {
  readonly #call: Call<Item, Result>
  readonly #bytesOf: (item: Item) => number
  #units: Unit<Item, Result>[] = []
  #scheduled = false
  #underWay = 0

  constructor(call: Call<Item, Result>, bytesOf: (item: Item) => number) {
    this.#call = call
    this.#bytesOf = bytesOf
  }

  /** Adds one unit; its results come in the order of its items. */
  add(items: readonly Item[]): Promise<Result[]> {
    let bytes = 0
    for (const item of items) bytes += this.#bytesOf(item)
    return new Promise((resolve, reject) => {
      this.#units.push({ items, bytes, resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= CALLS_AT_ONCE || this.#units.length === 0) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      while (this.#underWay < CALLS_AT_ONCE && this.#units.length > 0) void this.#send(this.#cut())
    })
  }

  #cut(): Unit<Item, Result>[] {
    let count = 0
    let items = 0
    let bytes = 0
    for (const unit of this.#units) {
      items += unit.items.length
      bytes += unit.bytes
      if (count > 0 && (items > ITEMS_AT_ONCE || bytes > BYTES_AT_ONCE)) break
      count++
    }
    return this.#units.splice(0, count)
  }

  async #send(units: readonly Unit<Item, Result>[]): Promise<void> {
    this.#underWay++
    try {
      const results = await this.#call(
        units.flatMap((unit) => unit.items),
        units.map((unit) => unit.items.length),
      )
      let at = 0
      for (const unit of units) unit.resolve(results.slice(at, (at += unit.items.length)))
    } catch (error) {
      for (const unit of units) unit.reject(error)
    } finally {
      this.#underWay--
      this.#schedule()
    }
  }
}
