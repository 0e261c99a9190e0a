/** Numbered producers: what they send is accepted once for each of their sequences, for ever. */
import type { Producer, ProducerEnqueueOptions, ProducerReceipt, Queue } from './api.js'
import type { BoxCore } from './box.js'
import type { ProducerOpened } from './engine/objects.js'
import type { Enqueue } from './engine/wire.gen.js'
import { checkBody, keepBytes } from './enqueue.js'
import { KEY_BYTES_MAX, NUMBERED_NAMES, recordOf } from './enqueue-options.js'
import { targetOf } from './staging.js'
import { integer, type Range, text } from './validate.js'

const SEQUENCE: Range = { min: 1, max: Number.MAX_SAFE_INTEGER }

/** Opens the producer with this name and fences its older handles. */
export async function openProducer(core: BoxCore, name: string, where: string): Promise<Producer> {
  text(name, KEY_BYTES_MAX, 'name', where)
  core.checkWorking(where)
  const opened = await core.driver.request<ProducerOpened>({ op: 'openProducer', name })
  return new NumberedProducer(core, name, opened)
}

class NumberedProducer implements Producer {
  readonly name: string
  readonly #core: BoxCore
  readonly #producer: number
  readonly #epoch: number
  #sequence: number

  constructor(core: BoxCore, name: string, { producer, epoch, sequence }: ProducerOpened) {
    this.name = name
    this.#core = core
    this.#producer = producer
    this.#epoch = epoch
    this.#sequence = sequence
  }

  get sequence(): number {
    return this.#sequence
  }

  async enqueue<T, R, Out>(queue: Queue<T, R, Out>, body: T, options: ProducerEnqueueOptions): Promise<ProducerReceipt> {
    const where = `producer '${this.name}': enqueue`
    const target = targetOf(this.#core, queue, where)
    this.#core.checkAccepting(where)
    const given: ProducerEnqueueOptions = options ?? {}
    const sequence = integer(given.sequence, SEQUENCE, 'sequence', where)
    if (!this.#core.middleware.hasEnqueue) return this.#send(target, sequence, body, given, where)
    let sent: ProducerReceipt | undefined
    const { sequence: _, ...rest } = given
    const context = { queue: target.name, body, options: rest }
    const receipt = await this.#core.middleware.enqueue(context, where, async ({ body, options }) => {
      sent = await this.#send(target, sequence, body, { ...options, sequence }, where)
      return sent as never
    })
    return { ...(sent ?? receipt), ...receipt, sequence }
  }

  async #send(
    target: ReturnType<typeof targetOf>,
    sequence: number,
    body: unknown,
    options: ProducerEnqueueOptions,
    where: string,
  ): Promise<ProducerReceipt> {
    const build = (): Enqueue => recordOf(target, body, options, NUMBERED_NAMES, where)
    const { record, late } = checkBody(target, body, where, build)
    if (late !== undefined) {
      if (record !== undefined) keepBytes(record)
      await late
      this.#core.checkAccepting(where)
    }
    const { admission } = target
    if (!admission.isOpen) await new Promise<void>((resolve) => admission.take().enter(resolve))
    const { receipt, next } = await this.#core.driver.produce({ producer: this.#producer, epoch: this.#epoch, sequence }, record!)
    this.#sequence = Math.max(this.#sequence, next)
    const { status } = receipt
    // Of a sequence that was accepted long ago nothing more may be known.
    return receipt.id === '' ? { sequence, status } : { sequence, ...receipt }
  }
}
