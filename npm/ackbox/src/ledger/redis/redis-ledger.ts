/**
 * A box whose messages are in Redis, as transitions: what one process may do to it.
 *
 * Every transition is one script on the server (`lua/`), atomic, done once even if its reply is lost (`requests.ts`). What is asked for in
 * one turn goes in one call for each kind and queue (`batcher.ts`). Nothing is decided here: policies are the engine's.
 */

import { randomBytes } from 'node:crypto'

import { AckboxError } from '../../ackbox-error.js'
import { codes, readAccepted, readClaimed, readInspected, readSettled } from './answers.js'
import { Batcher } from './batcher.js'
import { checkFacts, serverFacts, type ServerFacts } from './facts.js'
import { boxKey, boxPrefix, queueKey, wakeChannel } from './keys.js'
import { type MessageKey, MessageKeys } from './message-key.js'
import { type RequestOptions, Requests, type Transition } from './requests.js'
import { packExtension, packSettlement, type Settlement } from './settlement.js'
import { packSheet, type Sheet } from './sheet.js'
import type {
  Accepted,
  Claim,
  ClaimedMessage,
  ClaimRequest,
  Extension,
  Inspected,
  Lease,
  PageEntry,
  PageOptions,
  QueueSettings,
  Recorded,
  TransactionItem,
  TransactionResult,
} from './transitions.js'
import type { Argument, Reply, Transport } from './transport.js'
import { readWake, type Wake } from './wake.js'

/** How a ledger is opened. */
export interface RedisLedgerOptions extends Partial<RequestOptions> {
  /** Name of the box on its server; all its keys begin with it. */
  readonly prefix: string
  /** Refuses a server that could lose what it accepted. */
  readonly requireDurable?: boolean
}

/** What is counted; the server writes a counter when it first counts. */
const COUNTERS = Object.fromEntries(
  ['depth', 'bytes', 'enqueued', 'duplicates', 'delivered', 'acked', 'rejected', 'retried', 'dead', 'expired', 'leasesLost', 'shortened'].map((name) => [name, 0]),
)
const CLAIM_BYTES = 8 * 1024 * 1024
const REPLY_TIMEOUT_MS = 10_000
/** The server keeps answers for an hour. */
const GIVE_UP_MS = 30 * 60_000

/** A box on Redis, as one process has it. */
export class RedisLedger {
  readonly prefix: string
  /** What the server keeps, as it was when the box was opened. */
  readonly facts: ServerFacts
  /** Drawn when the box was created, 32 bytes: what its processes have to agree in follows from it. */
  readonly secret: Buffer
  /** How ids and keys of messages belong together. */
  readonly keys: MessageKeys
  readonly #transport: Transport
  readonly #requests: Requests
  readonly #box: string
  readonly #clock: () => number
  /** How far the server's clock is ahead of it. */
  readonly #ahead: number
  readonly #enqueues = new Map<string, Batcher<Sheet, Accepted>>()
  readonly #settlements = new Map<string, Batcher<Settlement, 'settled' | 'lost'>>()
  readonly #extensions = new Map<string, Batcher<Extension, 'extended' | 'lost'>>()

  private constructor(transport: Transport, requests: Requests, prefix: string, facts: ServerFacts, secret: Buffer, clock: () => number, ahead: number) {
    this.#transport = transport
    this.#requests = requests
    this.prefix = prefix
    this.facts = facts
    this.secret = secret
    this.keys = new MessageKeys(secret)
    this.#box = boxKey(prefix)
    this.#clock = clock
    this.#ahead = ahead
  }

  /** Opens a box, or creates it. Waits for a server that is not there. */
  static async open(transport: Transport, options: RedisLedgerOptions): Promise<RedisLedger> {
    const prefix = boxPrefix(checkPrefix(options.prefix))
    const process = randomBytes(9).toString('base64url')
    const requests = new Requests(transport, process, prefix, {
      replyTimeoutMs: options.replyTimeoutMs ?? REPLY_TIMEOUT_MS,
      giveUpMs: Math.min(options.giveUpMs ?? GIVE_UP_MS, GIVE_UP_MS),
      ...(options.now === undefined ? {} : { now: options.now }),
      ...(options.onWaiting === undefined ? {} : { onWaiting: options.onWaiting }),
    })
    const facts = await requests.insistOn(() => serverFacts(transport))
    checkFacts(facts, options.requireDurable ?? false)
    const reply = await requests.look('open', [boxKey(prefix)], [process, '1', randomBytes(32), requests.now()])
    const [, secret, , now] = reply as Buffer[]
    const clock = options.now ?? Date.now
    return new RedisLedger(transport, requests, prefix, facts, secret!, clock, Number(now) - clock())
  }

  /** Since when replies fail to come; absent: they come. */
  get waitingSince(): number | undefined {
    return this.#requests.waitingSince
  }

  /** The time of the server, as far as this process knows. */
  now(): number {
    return this.remote(this.#clock())
  }

  /** A time of the server by the clock of this process. */
  local(time: number): number {
    return time - this.#ahead
  }

  /** The same the other way round. */
  remote(time: number): number {
    return time + this.#ahead
  }

  /** Declares a queue; resolves to the names of the settings that were different before. */
  async define(queue: string, settings: QueueSettings = {}): Promise<string[]> {
    const named = Object.entries(settings).filter(([, value]) => value !== undefined)
    const reply = await this.#make('define', queue, named.flatMap(([name, value]) => [name, String(value)]))
    return (reply as Buffer[]).map(String)
  }

  /** Accepts messages: all of them, or none. */
  enqueue(queue: string, sheets: readonly Sheet[]): Promise<Accepted[]> {
    const batcher = at(this.#enqueues, queue, () => new Batcher(
      async (items, sizes) => {
        const single = sizes.every((size) => size === 1)
        const rest: Argument[] = [single ? '' : packSizes(sizes)]
        for (const sheet of items) rest.push(sheet.key, packSheet(sheet))
        return codes(await this.#make('enqueue', queue, rest)).map(readAccepted)
      },
      (sheet) => sheet.body.length,
    ))
    return batcher.add(sheets)
  }

  /** Leases messages to this process. */
  async claim(queue: string, request: ClaimRequest): Promise<Claim> {
    const mode = (request.atMostOnce === true ? 1 : 0) + (request.wait === true ? 2 : 0)
    const rest = [request.max, Math.ceil(request.leaseMs), request.maxBytes ?? CLAIM_BYTES, mode].map(String)
    if (request.rate !== undefined) rest.push(request.rate.name, String(request.rate.limit), String(request.rate.perMs))
    const reply = (await this.#make('claim', queue, rest)) as Buffer[]
    const messages: ClaimedMessage[] = []
    for (let from = 2; from < reply.length; from += 3) messages.push(readClaimed(reply[from]!, reply[from + 1]!, reply[from + 2]!))
    const moreAt = Number(reply[1])
    return { messages, paused: String(reply[0]) === 'paused', ...(moreAt === 0 ? {} : { moreAt }) }
  }

  /** Settles one delivery. */
  async settle(queue: string, settlement: Settlement): Promise<'settled' | 'lost'> {
    const batcher = at(this.#settlements, queue, () => new Batcher(
      async (items) => codes(await this.#make('settle', queue, items.map(packSettlement))).map(readSettled),
      (item) => (item.kind === 'completed' ? (item.result?.length ?? 0) : item.kind === 'returned' ? 0 : (item.error?.length ?? 0)),
    ))
    return (await batcher.add([settlement]))[0]!
  }

  /** Makes one lease end so long after now. */
  async extend(queue: string, extension: Extension): Promise<'extended' | 'lost'> {
    const batcher = at(this.#extensions, queue, () => new Batcher(
      async (items) => codes(await this.#make('extend', queue, items.map(packExtension))).map((code) => (code === 'k' ? 'extended' : 'lost')),
      () => 0,
    ))
    return (await batcher.add([extension]))[0]!
  }

  /** Records what a step gave; if it was recorded before, resolves to that. */
  async record(queue: string, delivery: Lease, name: string, result: Buffer, most = 10_000): Promise<Recorded> {
    const reply = await this.#make('step', queue, [delivery.key, String(delivery.token), String(most), name, result])
    const [code, before] = reply as Buffer[]
    if (String(code) === 'd') return { status: 'known', result: before! }
    return { status: ({ k: 'recorded', L: 'lost', f: 'full' } as const)[String(code) as 'k' | 'L' | 'f'] }
  }

  /** What the steps of a message gave. */
  async recall(queue: string, key: MessageKey): Promise<Map<string, Buffer>> {
    const reply = (await this.#look('recall', queue, [key])) as Buffer[]
    const steps = new Map<string, Buffer>()
    for (let from = 0; from < reply.length; from += 2) steps.set(String(reply[from]), reply[from + 1]!)
    return steps
  }

  /** Settles and enqueues over several queues: all of it, or nothing. */
  async transact(items: readonly TransactionItem[]): Promise<TransactionResult> {
    const queues = [...new Set(items.map((item) => item.queue))]
    const rest = items.flatMap((item): Argument[] => {
      const which = queues.indexOf(item.queue) + 1
      return item.kind === 'settle' ? [`${which}s`, packSettlement(item.settlement)] : [`${which}e`, item.sheet.key, packSheet(item.sheet)]
    })
    const reply = await this.#requests.make('transact', [this.#box, ...queues.map((queue) => queueKey(this.prefix, queue))], rest)
    const [done, results] = reply as Buffer[]
    const each = codes(results!).map((code, from) => (items[from]!.kind === 'settle' ? readSettled(code) : readAccepted(code)))
    return { done: String(done) === 'k', items: each }
  }

  /** Opens a numbered producer: whoever opened it before is fenced from now on. */
  async produce(name: string): Promise<{ epoch: number; sequence: number }> {
    const reply = await this.#requests.make('produce', [this.#box], [name])
    const [epoch, watermark] = reply as [number, Buffer]
    return { epoch, sequence: Number(watermark) }
  }

  /** Accepts messages of a numbered producer, each sequence once. `duplicate` with state `completed`: taken before. */
  async enqueueNumbered(
    queue: string,
    producer: { readonly name: string; readonly epoch: number },
    items: readonly { readonly sequence: number; readonly sheet: Sheet }[],
  ): Promise<Accepted[]> {
    const rest = items.flatMap(({ sequence, sheet }): Argument[] => [String(sequence), sheet.key, packSheet(sheet)])
    return codes(await this.#make('produced', queue, [producer.name, String(producer.epoch), ...rest])).map(readAccepted)
  }

  /** Nobody claims messages of a destination until then; 0: they may again. Resolves to false if a call is not enough to bring all back. */
  async park(queue: string, destination: string, until: number, slice = 1000): Promise<boolean> {
    const reply = await this.#make('park', queue, [String(slice), destination, String(Math.ceil(until))])
    return String(reply) !== 'm'
  }

  /** Stops claims of a queue everywhere, or lets them go on; true if that changed anything. */
  async pause(queue: string, paused: boolean): Promise<boolean> {
    return (await this.#make('pause', queue, [paused ? '1' : '0'])) === 1
  }

  /** Takes messages out; true for each that there was. `now`: what is scheduled becomes ready. */
  async withdraw(queue: string, what: 'cancel' | 'remove' | 'forget' | 'now', keys: readonly MessageKey[]): Promise<boolean[]> {
    return codes(await this.#make('withdraw', queue, [what, ...keys])).map((code) => code === 'k')
  }

  /** Dead letters wait again; true for each that does. */
  async redrive(queue: string, keys: readonly MessageKey[], options: { to?: string; forgetSteps?: boolean } = {}): Promise<boolean[]> {
    const names = options.to === undefined || options.to === queue ? [queue] : [queue, options.to]
    const all = [this.#box, ...names.map((name) => queueKey(this.prefix, name))]
    const reply = await this.#requests.make('redrive', all, [options.forgetSteps === true ? '1' : '0', ...keys])
    return codes(reply).map((code) => code === 'k')
  }

  /** Gives a dead letter another sheet. `changed`: it is not what `before` says any more. */
  async edit(queue: string, before: Sheet, sheet: Sheet): Promise<'edited' | 'absent' | 'changed'> {
    const reply = await this.#make('edit', queue, [sheet.key, packSheet(sheet), packSheet(before)])
    return ({ k: 'edited', n: 'absent', r: 'changed' } as const)[String(reply) as 'k' | 'n' | 'r']
  }

  /** Removes what waited when it was called; resolves to how many that were. */
  async purge(queue: string, slice = 1000): Promise<number> {
    let [cursor, last, count] = ['0', '0', 0]
    do {
      const reply = (await this.#make('purge', queue, [last, cursor, String(slice)])) as [Buffer, Buffer, number]
      cursor = String(reply[0])
      last = String(reply[1])
      count += reply[2]
    } while (cursor !== '0')
    return count
  }

  /** What is known of messages; nothing of those that were never seen or are forgotten. */
  async inspect(queue: string, keys: readonly MessageKey[], options: { history?: boolean } = {}): Promise<(Inspected | undefined)[]> {
    const reply = await this.#look('inspect', queue, [this.#requests.now(), options.history === true ? '1' : '0', ...keys])
    return (reply as Buffer[][]).map((entry, from) => readInspected(keys[from]!, entry))
  }

  /** Keys of messages in one state, in their order. */
  async page(queue: string, state: 'dead' | 'ready' | 'scheduled' | 'leased', options: PageOptions = {}): Promise<PageEntry[]> {
    const rest = [state, String(options.from ?? '-inf'), String(options.offset ?? 0), String(options.limit ?? 100)]
    const reply = (await this.#look('page', queue, rest)) as Buffer[]
    const entries: PageEntry[] = []
    for (let from = 0; from < reply.length; from += 2) entries.push({ key: reply[from]!, at: Number(reply[from + 1]) })
    return entries
  }

  /** Names of all queues. */
  async queues(): Promise<string[]> {
    const reply = await this.#requests.insistOn(() => this.#transport.send(['SMEMBERS', `${this.prefix}queues`]))
    return (reply as Buffer[]).map(String).sort()
  }

  /** Counters and depths. */
  async stats(queue: string): Promise<Record<string, number>> {
    const [entry] = (await this.#look('stats', queue, [])) as [[Buffer[], number, number, number, Buffer]]
    const [fields, scheduled, leased, deadLetters, oldest] = entry
    const stats: Record<string, number> = { ...COUNTERS, scheduled, leased, deadLetters }
    for (let from = 0; from < fields.length; from += 2) stats[String(fields[from])] = Number(fields[from + 1])
    stats.ready = stats.depth! - scheduled - leased - deadLetters
    if (oldest.length > 0) stats.oldestReadyAt = Number(oldest)
    return stats
  }

  /** Asks to be told of the end of messages; true for each that has ended already. */
  async watch(queue: string, keys: readonly MessageKey[]): Promise<boolean[]> {
    return codes(await this.#make('watch', queue, keys)).map((code) => code === 'e')
  }

  /** Told of work, ends and circuits, on a connection of its own. */
  onWake(listener: (wake: Wake) => void): Promise<void> {
    return this.#transport.subscribe(wakeChannel(this.prefix), (message) => {
      const wake = readWake(message)
      if (wake !== undefined) listener(wake)
    })
  }

  /** Ends what this opened. What is under way rejects. */
  async close(): Promise<void> {
    this.#requests.close()
    await this.#transport.close()
  }

  #make(name: Transition, queue: string, rest: readonly Argument[]): Promise<Reply> {
    return this.#requests.make(name, [this.#box, queueKey(this.prefix, queue)], rest)
  }

  #look(name: Transition, queue: string, rest: readonly Argument[]): Promise<Reply> {
    return this.#requests.look(name, [this.#box, queueKey(this.prefix, queue)], rest)
  }
}

function packSizes(sizes: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * sizes.length)
  sizes.forEach((size, from) => bytes.writeUInt32BE(size, 4 * from))
  return bytes
}

function at<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}

function checkPrefix(prefix: string): string {
  if (prefix.length > 0 && prefix.length <= 128 && !/[{}\s]/.test(prefix)) return prefix
  throw new AckboxError('ERR_INVALID_OPTION', `prefix: expected 1 to 128 characters without braces and spaces, got ${JSON.stringify(prefix)}`)
}
