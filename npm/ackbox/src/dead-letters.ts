/** The dead letters of one queue. */
import type { DeadFilter, DeadLetterPage, DeadLetters, DeadList, PageOptions, RedriveOptions, RedriveReport } from './api.js'
import type { Driver } from './driver.js'
import type { DeadFilter as EngineFilter, DeadPage } from './engine/objects.js'
import { reasonNames } from './engine/wire.gen.js'
import { invalidOption } from './errors.js'
import { askForInfos, deadLetter } from './inspect.js'
import type { LocalOptions } from './queue-options.js'
import type { DeadLetter } from './types.js'
import type { Range } from './validate.js'
import { checkNames, choice, instant, integer } from './validate.js'

const FILTER_NAMES = ['ids', 'reason', 'before', 'after']
const REDRIVE_LATER = ['perSecond', 'to', 'steps']
const REASONS = reasonNames.filter((name) => name !== undefined)
/** Ids that one call may name. */
const IDS_MAX = 10_000
const LIMIT: Range = { min: 1, max: 2 ** 32 - 1 }

/** Entries of one page, and of one answer of `peek`. */
export const PAGE: Range = { min: 1, max: 1_000 }
export const PAGE_DEFAULT = 100

/** What the queue lends. */
export interface DeadLettersOf {
  readonly driver: Driver
  readonly where: string
  readonly number: number
  readonly local: LocalOptions
}

export class QueueDeadLetters implements DeadLetters<unknown> {
  readonly #queue: DeadLettersOf

  constructor(queue: DeadLettersOf) {
    this.#queue = queue
  }

  list(filter: DeadFilter = {}): DeadList<unknown> {
    const engineFilter = this.#filter(filter, 'list')
    const page = (options: PageOptions = {}): Promise<DeadLetterPage> => this.#page(engineFilter, options)
    return {
      page,
      async *[Symbol.asyncIterator]() {
        let after: string | undefined
        do {
          const { items, next } = await page({ after })
          yield* items
          after = next
        } while (after !== undefined)
      },
    }
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    if (typeof id !== 'string') throw invalidOption('id to be a string', id, this.#where('get'))
    const { items } = await this.#page({ ids: [id] }, { limit: 1 })
    return items[0]
  }

  async count(filter: DeadFilter = {}): Promise<number> {
    const { driver, number } = this.#queue
    return driver.request({ op: 'deadCount', queue: number, filter: this.#filter(filter, 'count') })
  }

  async redrive(filter: RedriveOptions = {}): Promise<RedriveReport> {
    const where = this.#where('redrive')
    checkNames(filter, [...FILTER_NAMES, 'limit'], where, REDRIVE_LATER)
    const { limit, ...rest } = filter
    const engineFilter = this.#filter(rest, 'redrive', REDRIVE_LATER)
    if (limit !== undefined) engineFilter.limit = integer(limit, LIMIT, 'limit', where)
    const { driver, number } = this.#queue
    return driver.request({ op: 'redrive', queue: number, filter: engineFilter })
  }

  async remove(filter: DeadFilter): Promise<number> {
    const { driver, number } = this.#queue
    return driver.request({ op: 'removeDead', queue: number, filter: this.#filter(filter, 'remove') })
  }

  async #page(filter: EngineFilter, options: PageOptions): Promise<DeadLetterPage> {
    const where = this.#where('list')
    checkNames(options, ['limit', 'after'], where)
    const limit = integer(options.limit ?? PAGE_DEFAULT, PAGE, 'limit', where)
    const { after } = options
    if (after !== undefined && typeof after !== 'string') {
      throw invalidOption('after to be the next of an earlier page', after, where)
    }
    const { driver, number, local } = this.#queue
    const request = { op: 'deadPage', queue: number, filter, limit, ...(after === undefined ? {} : { after }) } as const
    const { answer, infoOf } = await askForInfos<DeadPage>(driver, request, local.codec)
    const items = answer.items.map((entry, index) => deadLetter(infoOf(entry, index)))
    return answer.next === undefined ? { items } : { items, next: answer.next }
  }

  #filter(filter: DeadFilter, call: string, later: readonly string[] = []): EngineFilter {
    const where = this.#where(call)
    checkNames(filter, FILTER_NAMES, where, later)
    const { ids, reason, before, after } = filter
    const engine: EngineFilter = {}
    if (ids !== undefined) {
      if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string')) {
        throw invalidOption('ids to be an array of strings', ids, where)
      }
      if (ids.length > IDS_MAX) throw invalidOption(`ids to be at most ${IDS_MAX} strings`, ids, where)
      engine.ids = [...new Set(ids)]
    }
    if (reason !== undefined) engine.reason = choice(reason, REASONS, 'reason', where)
    if (before !== undefined) engine.before = instant(before, 'before', where)
    if (after !== undefined) engine.after = instant(after, 'after', where)
    return engine
  }

  #where(call: string): string {
    return `${this.#queue.where}: dead.${call}`
  }
}
