/** What happens in one scenario: a list of things that are done one after the other, none of which is waited for. */
import fc from 'fast-check'

import { FAILURES, type How } from './faults.ts'
import type { StorageFault } from './late-storage.ts'

/** What a body is told to make fail on its way, and how. */
export interface Trap {
  readonly at: 'encode' | 'decode' | 'schema' | 'group' | 'destination' | 'toJSON'
  readonly how: How
}

/** What a handler, a listener or a step does before it ends. */
export type Deed = 'nothing' | 'enqueue' | 'close box' | 'close worker' | 'dequeue' | 'abort' | 'pause'

/** What a handler does of a message. */
export interface Plan {
  readonly deed: Deed
  readonly how: How
  readonly settle: 'not' | 'ack' | 'reject' | 'ack twice'
  readonly step: How | 'none'
}

export type Op =
  | { readonly do: 'enqueue'; readonly queue: number; readonly id: number; readonly trap: Trap | undefined; readonly delayMs: number; readonly signal: boolean }
  | { readonly do: 'enqueueMany'; readonly queue: number; readonly ids: readonly number[]; readonly trap: Trap | undefined }
  | { readonly do: 'process'; readonly queue: number; readonly concurrency: number; readonly timeoutMs: number | undefined; readonly breaker: boolean }
  | { readonly do: 'worker'; readonly pick: number; readonly how: 'close' | 'close now' | 'pause' | 'resume' | 'listen'; readonly fails: How }
  | { readonly do: 'dequeue'; readonly queue: number; readonly waitMs: number; readonly signal: boolean }
  | { readonly do: 'settle'; readonly pick: number; readonly how: 'ack' | 'reject' | 'extend' | 'dispose' }
  | { readonly do: 'consume'; readonly queue: number; readonly takes: number }
  | { readonly do: 'drain'; readonly queue: number; readonly signal: boolean }
  | { readonly do: 'finished'; readonly queue: number; readonly id: number; readonly timeoutMs: number | undefined; readonly signal: boolean }
  | { readonly do: 'wait'; readonly queue: number; readonly what: 'idle' | 'events' }
  | { readonly do: 'watch'; readonly queue: number; readonly how: How }
  | { readonly do: 'listen'; readonly queue: number; readonly how: How; readonly deed: Deed }
  | { readonly do: 'use'; readonly where: 'enqueue' | 'deliver'; readonly how: How }
  | { readonly do: 'transaction'; readonly queue: number; readonly id: number; readonly pick: number; readonly how: How }
  | { readonly do: 'produce'; readonly queue: number; readonly id: number; readonly sequence: number }
  | { readonly do: 'care'; readonly queue: number; readonly id: number; readonly how: 'cancel' | 'retryNow' | 'redrive' | 'pause' | 'resume' | 'peek' | 'letters' | 'stats' }
  | { readonly do: 'abort' }
  | { readonly do: 'fault'; readonly fault: StorageFault }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'turn' }
  | { readonly do: 'check' }
  | { readonly do: 'close'; readonly timeoutMs: number | undefined }

export interface Scenario {
  readonly ops: readonly Op[]
  /** What handlers do, in turn. */
  readonly plans: readonly Plan[]
  /** Nobody listens to warnings: they go to the process. */
  readonly isDeaf: boolean
}

/** So few that they meet. */
export const IDS = 8
export const QUEUES = 2

const how = fc.oneof(
  { weight: 6, arbitrary: fc.constant<How>('fine') },
  { weight: 5, arbitrary: fc.constantFrom<How>(...FAILURES) },
  { weight: 3, arbitrary: fc.constantFrom<How>('late', 'never') },
)
const queue = fc.nat(QUEUES - 1)
const id = fc.nat(IDS - 1)
const signal = fc.boolean()
const pick = fc.nat(9)
const trap: fc.Arbitrary<Trap | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.constantFrom<Trap['at']>('encode', 'decode', 'schema', 'group', 'destination', 'toJSON'),
      how: fc.constantFrom<How>(...FAILURES),
    }),
  },
)
const deed = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Deed>('nothing') },
  { weight: 2, arbitrary: fc.constantFrom<Deed>('enqueue', 'dequeue', 'abort', 'pause') },
  { weight: 1, arbitrary: fc.constantFrom<Deed>('close box', 'close worker') },
)

const ops: { readonly [K in Op['do']]: readonly [weight: number, fc.Arbitrary<Omit<Extract<Op, { do: K }>, 'do'>>] } = {
  enqueue: [10, fc.record({ queue, id, trap, delayMs: fc.constantFrom(0, 0, 0, 70), signal })],
  enqueueMany: [2, fc.record({ queue, ids: fc.uniqueArray(id, { maxLength: 4 }), trap })],
  process: [5, fc.record({ queue, concurrency: fc.integer({ min: 1, max: 3 }), timeoutMs: fc.constantFrom(undefined, undefined, 30), breaker: fc.boolean() })],
  worker: [4, fc.record({ pick, how: fc.constantFrom('close', 'close now', 'pause', 'resume', 'listen'), fails: how })],
  dequeue: [4, fc.record({ queue, waitMs: fc.constantFrom(0, 90, 5_000), signal })],
  settle: [5, fc.record({ pick, how: fc.constantFrom('ack', 'ack', 'reject', 'extend', 'dispose') })],
  consume: [2, fc.record({ queue, takes: fc.nat(3) })],
  drain: [2, fc.record({ queue, signal })],
  finished: [3, fc.record({ queue, id, timeoutMs: fc.constantFrom(undefined, 80), signal })],
  wait: [2, fc.record({ queue, what: fc.constantFrom('idle', 'events') })],
  watch: [2, fc.record({ queue, how })],
  listen: [4, fc.record({ queue, how, deed })],
  // Whoever enqueues waits for middleware as long as that takes, so here it ends.
  use: [1, fc.record({ where: fc.constantFrom('enqueue', 'deliver'), how: how.map((chosen) => (chosen === 'never' ? 'late' : chosen)) })],
  transaction: [3, fc.record({ queue, id, pick, how })],
  produce: [1, fc.record({ queue, id, sequence: fc.integer({ min: 1, max: 4 }) })],
  care: [4, fc.record({ queue, id, how: fc.constantFrom('cancel', 'retryNow', 'redrive', 'pause', 'resume', 'resume', 'peek', 'letters', 'stats') })],
  abort: [2, fc.record({})],
  fault: [
    2,
    fc.record({
      fault: fc.record({
        call: fc.constantFrom('append', 'append', 'append', 'read', 'remove', 'truncate'),
        kind: fc.constantFrom('late', 'late', 'clean', 'fails', 'torn', 'throws', 'fails with nothing'),
        ms: fc.constantFrom(0, 25, 400),
      }),
    }),
  ],
  advance: [6, fc.record({ ms: fc.constantFrom(0, 10, 50, 500, 3_000) })],
  turn: [6, fc.record({})],
  check: [2, fc.record({})],
  close: [1, fc.record({ timeoutMs: fc.constantFrom(undefined, 0, 100) })],
}

const op = fc.oneof(
  ...Object.entries(ops).map(([name, [weight, fields]]) => ({
    weight,
    arbitrary: (fields as fc.Arbitrary<object>).map((given) => ({ do: name, ...given }) as Op),
  })),
)

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  ops: fc.array(op, { minLength: 15, maxLength: 50, size: 'max' }),
  plans: fc.array(
    fc.record({
      deed,
      how,
      settle: fc.oneof({ weight: 4, arbitrary: fc.constant('not' as const) }, { weight: 1, arbitrary: fc.constantFrom('ack', 'reject', 'ack twice') }),
      step: fc.oneof({ weight: 3, arbitrary: fc.constant('none' as const) }, { weight: 1, arbitrary: how }),
    }) as fc.Arbitrary<Plan>,
    { minLength: 1, maxLength: 6 },
  ),
  isDeaf: fc.boolean(),
})
