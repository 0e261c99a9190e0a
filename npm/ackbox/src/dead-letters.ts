/** The dead letters of one queue. */
import type {
  DeadFilter,
  DeadLetterEdit,
  DeadLetterPage,
  DeadLetters,
  DeadList,
  PageOptions,
  RedriveOptions,
  RedriveReport,
} from './api.js'
import type { BoxCore } from './box.js'
import type { DeadFilter as EngineFilter, DeadPage } from './engine/objects.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { edit, type EditTarget } from './edit.js'
import { reasonNames } from './engine/wire.gen.js'
import { invalidOption } from './errors.js'
import { askForInfos, deadLetter, type Inspected } from './inspect.js'
import { REDRIVE_NAMES, redrive } from './redrive.js'
import type { DeadLetter } from './types.js'
import type { Range } from './validate.js'
import { checkNames, choice, instant, integer, text } from './validate.js'

const FILTER_NAMES = ['ids', 'reason', 'before', 'after']
const REASONS = reasonNames.filter((name) => name !== undefined)
/** Ids that one call may name. */
const IDS_MAX = 10_000

/** Entries of one page, and of one answer of `peek`. */
export const PAGE: Range = { min: 1, max: 1_000 }
export const PAGE_DEFAULT = 100

/** What the queue lends. */
export interface DeadLettersOf extends EditTarget, Inspected {
  readonly where: string
}

export class QueueDeadLetters implements DeadLetters<unknown> {
  readonly #core: BoxCore
  readonly #queue: DeadLettersOf

  constructor(core: BoxCore, queue: DeadLettersOf) {
    this.#core = core
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
    const engineFilter = this.#filter(filter, 'count')
    return this.#core.driver.request({ op: 'deadCount', queue: this.#queue.number, filter: engineFilter })
  }

  async redrive(options: RedriveOptions = {}): Promise<RedriveReport> {
    const filter = this.#filter(options, 'redrive', REDRIVE_NAMES)
    return redrive(this.#core, this.#queue.number, filter, options, this.#where('redrive'))
  }

  edit(id: string, changes: DeadLetterEdit<unknown>): Promise<boolean> {
    return edit(this.#core, this.#queue, id, changes, this.#where('edit'))
  }

  async remove(filter: DeadFilter): Promise<number> {
    const engineFilter = this.#filter(filter, 'remove')
    return this.#core.driver.request({ op: 'removeDead', queue: this.#queue.number, filter: engineFilter })
  }

  async #page(filter: EngineFilter, options: PageOptions): Promise<DeadLetterPage> {
    const where = this.#where('list')
    checkNames(options, ['limit', 'after'], where)
    const limit = integer(options.limit === undefined ? PAGE_DEFAULT : options.limit, PAGE, 'limit', where)
    const { after } = options
    if (after !== undefined && typeof after !== 'string') {
      throw invalidOption('after to be the next of an earlier page', after, where)
    }
    const { number } = this.#queue
    const request = { op: 'deadPage', queue: number, filter, limit, ...(after === undefined ? {} : { after }) } as const
    const { answer, infoOf } = await askForInfos<DeadPage>(this.#core.driver, request, this.#queue)
    const items = answer.items.map((entry, index) => deadLetter(infoOf(entry, index)))
    return answer.next === undefined ? { items } : { items, next: answer.next }
  }

  #filter(filter: DeadFilter, call: string, others: readonly string[] = []): EngineFilter {
    const where = this.#where(call)
    checkNames(filter, [...FILTER_NAMES, ...others], where)
    const { ids, reason, before, after } = filter
    const engine: EngineFilter = {}
    if (ids !== undefined) {
      if (!Array.isArray(ids)) throw invalidOption('ids to be an array of strings', ids, where)
      for (const id of ids as unknown[]) text(id, KEY_BYTES_MAX, 'each of ids', where)
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
