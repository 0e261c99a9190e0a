/**
 * Stands where an engine has its input area: takes records as objects, in their order, so that they can travel. What several
 * records say together stays together.
 */
import { InputKind, type Writer } from '../engine/wire.gen.js'
import type { Call, InputRecord, Part } from './protocol.js'

interface Recorded {
  readonly input: keyof typeof InputKind
  readonly record: InputRecord
}

/** How many records behind one belong to it. */
const PARTS: Partial<Record<keyof typeof InputKind, (record: InputRecord) => number>> = {
  batch: ({ count }) => count as number,
  transaction: ({ settles, enqueues }) => (settles as number) + (enqueues as number),
  produce: () => 1,
}

export class OpRecorder {
  readonly #records: Recorded[] = []

  constructor() {
    for (const input of Object.keys(InputKind) as (keyof typeof InputKind)[]) {
      Object.defineProperty(this, input, {
        value: (record: InputRecord = {}) => void this.#records.push({ input, record: kept(record) }),
      })
    }
  }

  /** As the driver sees it. It uses of a writer what is here. */
  get writer(): Writer {
    return this as unknown as Writer
  }

  /** How much was written, in records. */
  get length(): number {
    return this.#records.length
  }

  /** Takes back what was written behind. */
  set length(records: number) {
    this.#records.length = records
  }

  /** Gives what was written, and begins anew. */
  take(): Call[] {
    const records = this.#records.splice(0)
    const calls: Call[] = []
    for (let at = 0; at < records.length; ) {
      const { input, record } = records[at++]!
      const count = PARTS[input]?.(record) ?? 0
      if (count === 0) calls.push({ input, record })
      else calls.push({ input, record, parts: records.slice(at, at + count) as Part[] })
      at += count
    }
    return calls
  }
}

/** A copy, for the same bytes may get another content once the record is written. */
function kept(record: InputRecord): InputRecord {
  const copy = { ...record }
  for (const [name, value] of Object.entries(copy)) {
    if (value instanceof Uint8Array) copy[name] = value.slice()
  }
  return copy
}
