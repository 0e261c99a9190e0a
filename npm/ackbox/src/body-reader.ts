/**
 * Bodies for those who only look: `get`, `peek`, `watch` and dead letters.
 *
 * Looking at a message must work for broken ones above all, so one whose body cannot be decoded is shown without it. The
 * first such message of a codec is told of by a warning; those after it say nothing new.
 */
import { type Codec, decodeBody } from './codec.js'
import type { Warning } from './events.js'

/** What decodes where no codec does. */
const JSON_TEXT = Symbol('JSON')

export class BodyReader {
  readonly #queue: string
  readonly #warn: (warning: Warning) => void
  /** What was complained about last. */
  #told: Codec<never> | typeof JSON_TEXT | undefined

  constructor(queue: string, warn: (warning: Warning) => void) {
    this.#queue = queue
    this.#warn = warn
  }

  /** The body of a message, as a part of what is shown of it. */
  read(id: string, encoded: string | Uint8Array, codec: Codec<never> | undefined): { body?: never } {
    try {
      return { body: decodeBody(encoded, codec) as never }
    } catch (cause) {
      this.#complain(id, codec, cause)
      return {}
    }
  }

  #complain(id: string, codec: Codec<never> | undefined, cause: unknown): void {
    const by = codec ?? JSON_TEXT
    if (this.#told === by) return
    this.#told = by
    const [subject, means] = [`queue '${this.#queue}': message '${id}'`, codec === undefined ? 'as JSON' : 'by the codec']
    this.#warn({ message: `${subject} is shown without its body, which cannot be decoded ${means}`, queue: this.#queue, cause })
  }
}
