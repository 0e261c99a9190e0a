/**
 * Watching: a list of messages that is there at once and is replaced when it changed, for stores of user interfaces.
 *
 * While anybody subscribes, the engine hints once a step that the queue may show something else; then all of the list
 * is asked for again, one question at a time, however many hints come meanwhile. What is shown is durable. Messages that
 * are as they were keep their objects, and a list of the same objects is the same list.
 */
import type { BoxCore } from './box.js'
import type { MessageInfo as EngineInfo, Request } from './engine/objects.js'
import { messageStateNames } from './engine/wire.gen.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import { invalidOption } from './errors.js'
import { Emitter } from './events.js'
import { askForInfos, type Content } from './inspect.js'
import type { EmbeddedQueue } from './queue.js'
import type { MessageInfo, MessageState } from './types.js'
import type { Range } from './validate.js'
import { checkNames, choice, integer, text } from './validate.js'

const LIMIT: Range = { min: 1, max: 1_000 }
const LIMIT_DEFAULT = 100
const STATES = messageStateNames.filter((name) => name !== undefined)
/** Messages in these are in no list that could be shown. */
const ENDS: readonly MessageState[] = ['completed', 'cancelled']
const NOTHING: readonly MessageInfo<never>[] = Object.freeze([])

/** Options of `watch`: which messages. */
export interface WatchOptions {
  /** Only these, in this order, at most 1,000; finished ones as long as they are remembered. Default: all that are kept. */
  readonly ids?: readonly string[] | undefined
  /**
   * Only messages in these states. Default: any. `'completed'` and `'cancelled'` only together with `ids`, otherwise
   * `ERR_INVALID_OPTION`: finished messages are found by their ids, while these are remembered.
   */
  readonly states?: readonly MessageState[] | undefined
  /** At most so many, 1 to 1,000. Default 100, with `ids` their number. */
  readonly limit?: number | undefined
}

/** A list that is there at once and is replaced when it changed. Its functions may be passed on by themselves. */
export interface Watch<T = unknown> {
  /**
   * The messages as they were when last looked at, in the order of `peek`; the same array and objects while nothing
   * changed. Empty until the first look, which `watch` begins; kept up to date while anybody subscribes.
   */
  readonly getSnapshot: () => readonly MessageInfo<T>[]
  /** Calls after each change of the snapshot; what it returns ends that. */
  readonly subscribe: (listener: () => void) => () => void
}

type Select = Request & { op: 'select' }

/** A message as it was shown last. */
interface Shown {
  readonly info: MessageInfo<never>
  readonly entry: string
  readonly content: Content | undefined
}

export class QueueWatch implements Watch<never> {
  readonly #core: BoxCore
  readonly #queue: EmbeddedQueue
  readonly #where: string
  readonly #request: Select
  readonly #subscribers: Emitter<{ changed: undefined }>
  #snapshot = NOTHING
  #shown = new Map<string, Shown>()
  #isAsking = false
  #isOutdated = false

  constructor(core: BoxCore, queue: EmbeddedQueue, options: WatchOptions, where: string) {
    this.#core = core
    this.#queue = queue
    this.#where = where
    this.#request = requestOf(options, queue.number, where)
    core.checkOpen(where)
    const warn = core.inbox.warn.bind(core.inbox)
    this.#subscribers = new Emitter(where, ['changed'], warn, () => this.#listen())
    this.#refresh()
  }

  readonly getSnapshot = (): readonly MessageInfo<never>[] => this.#snapshot

  readonly subscribe = (listener: () => void): (() => void) => this.#subscribers.on('changed', listener)

  /** There is a first subscriber, or none any more. */
  #listen(): void {
    if (this.#subscribers.has('changed')) {
      this.#queue.addWatcher(this.#refresh)
      this.#refresh()
    } else {
      this.#queue.removeWatcher(this.#refresh)
    }
  }

  readonly #refresh = (): void => {
    this.#isOutdated = true
    if (!this.#isAsking) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    try {
      while (this.#isOutdated) {
        this.#isOutdated = false
        this.#show(await this.#look())
      }
    } catch (cause) {
      // The end of a box is told by the box.
      if (!this.#core.hasEnded) this.#core.inbox.warn({ message: `${this.#where}: a look failed`, queue: this.#queue.name, cause })
    } finally {
      this.#isAsking = false
    }
  }

  async #look(): Promise<Shown[]> {
    const { driver } = this.#core
    const { answer, infoOf, contentOf } = await askForInfos<EngineInfo[]>(driver, this.#request, this.#queue)
    const shown = answer.map((entry, index) => {
      const [text, content] = [JSON.stringify(entry), contentOf(index)]
      const before = this.#shown.get(entry.id)
      if (before?.entry === text && isSame(before.content, content)) return before
      return { info: infoOf(entry, index), entry: text, content }
    })
    const { ids } = this.#request
    if (ids === undefined) return shown
    const byId = new Map(shown.map((one) => [one.info.id, one]))
    return ids.flatMap((id) => byId.get(id) ?? [])
  }

  #show(shown: readonly Shown[]): void {
    const before = this.#snapshot
    this.#shown = new Map(shown.map((one) => [one.info.id, one]))
    if (shown.length === before.length && shown.every(({ info }, index) => info === before[index])) return
    this.#snapshot = Object.freeze(shown.map(({ info }) => info))
    this.#subscribers.emit('changed', undefined)
  }
}

function requestOf(options: WatchOptions, queue: number, where: string): Select {
  checkNames(options, ['ids', 'states', 'limit'], where)
  const ids = options.ids === undefined ? undefined : [...new Set(listOf(options.ids, 'ids', where))]
  for (const id of ids ?? []) text(id, KEY_BYTES_MAX, 'each of ids', where)
  if (ids !== undefined && ids.length > LIMIT.max) {
    throw invalidOption(`ids to be at most ${LIMIT.max}`, ids.length, where)
  }
  const states = options.states === undefined ? undefined : listOf(options.states, 'states', where)
  for (const state of states ?? []) choice<MessageState>(state, STATES, 'each of states', where)
  const end = ids === undefined ? states?.find((state) => ENDS.includes(state)) : undefined
  if (end !== undefined) {
    throw invalidOption("states to be of 'scheduled', 'ready', 'leased' and 'dead' where no ids are named", end, where)
  }
  const { limit: wanted = Math.max(ids?.length ?? LIMIT_DEFAULT, 1) } = options
  const limit = integer(wanted, LIMIT, 'limit', where)
  return { op: 'select', queue, limit, ...(ids === undefined ? {} : { ids }), ...(states === undefined ? {} : { states }) }
}

function listOf<E>(value: readonly E[], name: string, where: string): readonly E[] {
  if (Array.isArray(value)) return value
  throw invalidOption(`${name} to be an array`, value, where)
}

function isSame(a: Content | undefined, b: Content | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.headers === b.headers && isSameBody(a.body, b.body)
}

function isSameBody(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
