/**
 * Stands where an engine has its output area: outputs that came as objects, under the names that records have. Of a reader
 * the driver uses what is here.
 */
import { OutputKind, type Reader, ReplyCode } from '../engine/wire.gen.js'
import type { Delivered, Output } from './protocol.js'

type Kept = Extract<Output, { kind: 'deliver' | 'receipt' | 'reply' | 'refusal' | 'body' | 'event' | 'abort' }> | Told

/** An object that is taken from the engine by its number. */
interface Told {
  readonly kind: 'notice'
  readonly number: number
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class Outputs {
  readonly #queue: Kept[] = []
  #at = 0
  #end = 0
  #current!: Kept

  /** As the driver sees it. */
  get reader(): Reader {
    return this as unknown as Reader
  }

  push(output: Kept): void {
    this.#queue.push(output)
  }

  /** What came until now is to be read. */
  rewind(): void {
    this.#queue.splice(0, this.#at)
    this.#at = 0
    this.#end = this.#queue.length
  }

  next(): boolean {
    if (this.#at >= this.#end) return false
    this.#current = this.#queue[this.#at++]!
    return true
  }

  get kind(): number {
    const { kind } = this.#current
    return OutputKind[kind === 'refusal' ? 'reply' : kind]
  }

  get deliver(): unknown {
    return new DeliveredView(this.#current as unknown as Delivered)
  }

  get receipt(): unknown {
    const receipt = this.#current as Extract<Kept, { kind: 'receipt' }>
    return { ...receipt, id: () => receipt.id }
  }

  get reply(): unknown {
    const reply = this.#current as Extract<Kept, { kind: 'reply' | 'refusal' }>
    const { ticket } = reply
    if (reply.kind === 'refusal') return { ticket, code: ReplyCode.failure, value: 0 }
    if (typeof reply.value === 'number') return { ticket, code: ReplyCode.value, value: reply.value }
    return { ticket, code: ReplyCode.object, value: 0 }
  }

  get body(): unknown {
    const body = this.#current as Extract<Kept, { kind: 'body' }>
    return {
      ticket: body.ticket,
      index: body.index,
      intact: body.intact,
      headers: () => body.headers,
      headersText: () => decoder.decode(body.headers),
      body: () => body.body,
      bodyText: () => decoder.decode(body.body),
    }
  }

  get event(): unknown {
    const { fields } = this.#current as Extract<Kept, { kind: 'event' }>
    return { ...fields, id: () => fields.id, errorText: () => fields.error }
  }

  get abort(): unknown {
    return this.#current
  }

  get notice(): unknown {
    return this.#current
  }
}

/** A delivery under the names that its record has. */
class DeliveredView {
  readonly #delivered: Delivered

  constructor(delivered: Delivered) {
    this.#delivered = delivered
    const { id, group, destination, headers, body, ...numbers } = delivered
    Object.assign(this, numbers, {
      id: () => id,
      group: () => group,
      destination: () => destination,
      headersText: () => headers,
      body: () => body,
    })
  }

  bodyText(): string {
    return decoder.decode(this.#delivered.body)
  }
}
