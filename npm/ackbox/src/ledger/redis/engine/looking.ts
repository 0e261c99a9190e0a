/** Looking at messages of the server, as the engine shows those of a journal. */

import type { CallResult } from '../../../engine/engine.js'
import type { BoxStats, DeadFilter, DeadPage, MessageInfo, QueueStats, QueueSummary, Request } from '../../../engine/objects.js'
import type { MessageStateName } from '../../../engine/wire.gen.js'
import { AckboxError } from '../../../errors.js'
import type { MessageKey } from '../message-key.js'
import type { RedisLedger } from '../redis-ledger.js'
import type { Inspected } from '../transitions.js'
import type { Answers } from './answers.js'
import type { RemoteQueue, RemoteQueues } from './queues.js'

type Ask<Op extends Request['op']> = Extract<Request, { op: Op }>

/** A message with what belongs to it. */
export interface Shown {
  readonly info: MessageInfo
  readonly headers: Buffer
  /** Body, or result. */
  readonly body: Buffer
}

const STATES = ['ready', 'scheduled', 'leased', 'dead'] as const
const NOTHING = Buffer.alloc(0)
/** Dead letters that are looked at in one call. */
const PAGE = 500

export class Looking {
  readonly #ledger: RedisLedger
  readonly #queues: RemoteQueues
  readonly #answers: Answers

  constructor(ledger: RedisLedger, queues: RemoteQueues, answers: Answers) {
    this.#ledger = ledger
    this.#queues = queues
    this.#answers = answers
  }

  async get(ticket: number, { queue: number, id }: Ask<'get'>): Promise<MessageInfo[]> {
    const queue = this.#queues.at(number)
    const shown = await this.byIds(queue, [id])
    return this.#show(ticket, shown)
  }

  async peek(ticket: number, { queue: number, state, limit }: Ask<'peek'>): Promise<MessageInfo[]> {
    return this.#show(ticket, await this.#inStates(this.#queues.at(number), state === undefined ? STATES : [state], limit))
  }

  async select(ticket: number, { queue: number, ids, states, limit }: Ask<'select'>): Promise<MessageInfo[]> {
    const queue = this.#queues.at(number)
    const isWanted = ({ info }: Shown): boolean => states === undefined || states.includes(info.state)
    const shown = ids === undefined ? await this.#inStates(queue, states ?? STATES, limit) : (await this.byIds(queue, ids)).filter(isWanted)
    return this.#show(ticket, shown.slice(0, limit))
  }

  /** A page of dead letters. `next` is how many came before. */
  async deadPage(ticket: number, { queue: number, filter, after, limit }: Ask<'deadPage'>): Promise<DeadPage> {
    const from = after === undefined ? 0 : Number(after)
    if (!Number.isSafeInteger(from) || from < 0) throw new AckboxError('ERR_INVALID_OPTION', 'after: expected the next of an earlier page')
    const found = await this.dead(this.#queues.at(number), filter, from, limit)
    const items = this.#show(ticket, found.shown)
    return found.next === undefined ? { items } : { items, next: String(found.next) }
  }

  async deadCount({ queue: number, filter }: Ask<'deadCount'>): Promise<number> {
    return (await this.dead(this.#queues.at(number), filter, 0, Infinity)).shown.length
  }

  /** Dead letters that fit, from the one at `offset` on. */
  async dead(queue: RemoteQueue, filter: DeadFilter = {}, offset = 0, most = Infinity): Promise<{ shown: Shown[]; next?: number }> {
    await queue.known
    const limit = Math.min(most, filter.limit ?? Infinity)
    const fits = ({ info }: Shown): boolean =>
      info.state === 'dead' &&
      (filter.reason === undefined || info.reason === filter.reason) &&
      (filter.before === undefined || info.finishedAt! < filter.before) &&
      (filter.after === undefined || info.finishedAt! > filter.after)
    if (filter.ids !== undefined) return { shown: (await this.byIds(queue, filter.ids)).filter(fits).slice(0, limit) }
    const shown: Shown[] = []
    for (let at = offset; ; ) {
      const entries = await this.#ledger.page(queue.name, 'dead', { offset: at, limit: PAGE })
      const page = await this.#inspect(queue, entries.map(({ key }) => key), entries.map((entry) => this.#ledger.local(entry.at)))
      for (const one of page) {
        at++
        if (one !== undefined && fits(one)) shown.push(one)
        if (shown.length === limit) return { shown, next: at }
      }
      if (entries.length < PAGE) return { shown }
    }
  }

  async byIds(queue: RemoteQueue, ids: readonly string[]): Promise<Shown[]> {
    await queue.known
    const keys = ids.map((id) => this.#ledger.keys.keyOf(id, queue.name).key)
    const found = await this.#inspect(queue, keys, undefined, ids)
    return found.filter((one) => one !== undefined)
  }

  async queueStats(local: CallResult, queue: RemoteQueue): Promise<QueueStats> {
    await queue.known
    const stats = await this.#ledger.stats(queue.name)
    const here = local.ok as QueueStats
    const { oldestReadyAt, paused } = stats
    const counted = Object.fromEntries(COUNTED.map((name) => [name, stats[name] ?? 0])) as Pick<QueueStats, (typeof COUNTED)[number]>
    return {
      ...here,
      ...counted,
      paused: paused === 1,
      ...(oldestReadyAt === undefined ? {} : { oldestReadyMs: Math.max(this.#ledger.now() - oldestReadyAt, 0) }),
    }
  }

  async queues(): Promise<QueueSummary[]> {
    const names = await this.#ledger.queues()
    const all = await Promise.all(names.map(async (name) => ({ name, stats: await this.#ledger.stats(name) })))
    return all.map(({ name, stats }) => ({ name, paused: stats['paused'] === 1, depth: stats['depth']!, deadLetters: stats['deadLetters']! }))
  }

  async boxStats(local: CallResult): Promise<BoxStats> {
    const queues = await this.queues()
    const sum = (of: (queue: QueueSummary) => number): number => queues.reduce((total, queue) => total + of(queue), 0)
    const deadLetters = sum((queue) => queue.deadLetters)
    return { ...(local.ok as BoxStats), queues: queues.length, messages: sum((queue) => queue.depth) - deadLetters, deadLetters }
  }

  async #inStates(queue: RemoteQueue, states: readonly MessageStateName[], limit: number): Promise<Shown[]> {
    await queue.known
    const shown: Shown[] = []
    for (const state of states) {
      if (state === 'completed' || state === 'cancelled') continue
      const entries = await this.#ledger.page(queue.name, state, { limit: limit - shown.length })
      const found = await this.#inspect(queue, entries.map(({ key }) => key), state === 'dead' ? entries.map((entry) => this.#ledger.local(entry.at)) : undefined)
      shown.push(...found.filter((one) => one?.info.state === state) as Shown[])
      if (shown.length >= limit) break
    }
    return shown
  }

  async #inspect(queue: RemoteQueue, keys: readonly MessageKey[], deadAt?: readonly number[], ids?: readonly string[]): Promise<(Shown | undefined)[]> {
    if (keys.length === 0) return []
    const found = await this.#ledger.inspect(queue.name, keys, { history: true })
    return found.map((one, at) => (one === undefined ? undefined : this.#shown(queue, keys[at]!, one, ids?.[at], deadAt?.[at])))
  }

  #shown(queue: RemoteQueue, key: MessageKey, found: Inspected, id: string | undefined, deadAt: number | undefined): Shown {
    const { state, message, track, history = [], dueAt, end } = found
    const local = (time: number): number => this.#ledger.local(time)
    const ends = history.map(({ at, attempt, reason, error }) => {
      const text = error?.trim()
      return { attempt, startedAt: local(at), endedAt: local(at), reason, ...(text ? { error: text } : {}) }
    })
    if (message === undefined) {
      const info = { id: id ?? '', queue: queue.name, state, finishedAt: local(end!.at), attempt: end!.attempt, history: [] }
      return { info, headers: NOTHING, body: end!.result }
    }
    const last = ends.at(-1)
    const info: MessageInfo = {
      id: message.id ?? id ?? this.#ledger.keys.idOf(key, queue.name),
      queue: queue.name,
      state,
      attempt: track?.attempts ?? 0,
      ...(message.maxAttempts === undefined ? {} : { maxAttempts: message.maxAttempts }),
      priority: message.priority,
      enqueuedAt: local(message.enqueuedAt),
      ...(state === 'scheduled' && dueAt !== undefined ? { dueAt: local(dueAt) } : {}),
      ...(message.expiresAt === undefined ? {} : { expiresAt: local(message.expiresAt) }),
      ...(message.group === undefined ? {} : { group: message.group }),
      ...(message.destination === undefined ? {} : { destination: message.destination }),
      ...(state === 'dead' ? { reason: track!.reason!, finishedAt: deadAt ?? last?.endedAt ?? 0 } : {}),
      ...(state === 'dead' && last?.error !== undefined ? { error: last.error } : {}),
      history: ends,
    }
    return { info, headers: Buffer.from(message.headers ?? ''), body: message.body }
  }

  /** The contents of entries come before them. */
  #show(ticket: number, shown: readonly Shown[]): MessageInfo[] {
    shown.forEach(({ headers, body }, index) => this.#answers.body(ticket, index, headers, body))
    return shown.map(({ info }) => info)
  }
}

const COUNTED = [
  ...(['enqueued', 'duplicates', 'delivered', 'acked', 'rejected', 'retried', 'dead', 'expired', 'leasesLost'] as const),
  ...(['ready', 'scheduled', 'leased', 'deadLetters', 'bytes'] as const),
] as const
