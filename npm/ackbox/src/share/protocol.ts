/**
 * What tabs that share a box tell each other. Everybody hears everything, so each message says whom it is from and, where
 * it is meant for one, for whom. What does not look like one of these is somebody else's and passed over.
 *
 * A tab speaks to the *hub*, which is the engine of the box in the tab that drives it: each hub has a name of its own, so
 * that nothing that was meant for one is taken by the next. With each hello a tab begins a *session*: what a hub said to it
 * before is about numbers that mean something else by now.
 */
import type { Failure } from '../engine/engine.js'
import type { CircuitInfo, OpenReport, QueueOptions, Request } from '../engine/objects.js'
import type { InputKind } from '../engine/wire.gen.js'

/** Counts up when tabs of two versions would misunderstand each other. */
export const PROTOCOL = 1

/** An input record as an object. Numbers of queues, workers and sluices are those of the tab. */
export type Call =
  | { readonly input: keyof typeof InputKind; readonly record: InputRecord; readonly parts?: readonly Part[] }
  | { readonly request: Request; readonly ticket: number; readonly number?: number }

/** A record that belongs to the one before it. */
export interface Part {
  readonly input: 'enqueue' | 'settle'
  readonly record: InputRecord
}

/** The fields of an input record. */
export type InputRecord = Record<string, unknown> & { ticket?: number; token?: number; queue?: number }

/** An output record as an object, and what else comes from the hub. Numbers are those of the tab. */
export type Output =
  | ({ readonly kind: 'deliver' } & Delivered)
  | { readonly kind: 'receipt'; readonly ticket: number; readonly index: number; readonly state: number; readonly duplicate: boolean; readonly id: string; readonly stored?: true }
  | { readonly kind: 'reply'; readonly ticket: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly ticket: number; readonly failure: Failure }
  | { readonly kind: 'body'; readonly ticket: number; readonly index: number; readonly intact: boolean; readonly headers: Uint8Array; readonly body: Uint8Array }
  | { readonly kind: 'event'; readonly fields: Record<string, unknown> & { readonly id: string; readonly error: string } }
  | { readonly kind: 'abort'; readonly token: number; readonly reason: number }
  | { readonly kind: 'cooldown'; readonly worker: number; readonly destination: string; readonly openings: number }
  | { readonly kind: 'defined'; readonly number: number; readonly options: QueueOptions; readonly named: QueueOptions; readonly warning?: string }
  | { readonly kind: 'undefined'; readonly number: number; readonly failure: Failure }
  | { readonly kind: 'circuits'; readonly worker: number; readonly circuits: readonly CircuitInfo[] }
  | { readonly kind: 'unemployed'; readonly worker: number; readonly failure: Failure }

/** A delivery on its way. */
export interface Delivered {
  readonly token: number
  readonly ticket: number
  readonly enqueuedAt: number
  readonly leaseUntil: number
  readonly number: number
  readonly worker: number
  readonly queue: number
  readonly attempt: number
  readonly priority: number
  readonly run: number
  readonly steps: number
  readonly handedOver: boolean
  readonly id: string
  readonly group: string
  readonly destination: string
  readonly headers: string
  readonly body: Uint8Array
}

/** What was accepted of a row, in the order of its items. */
export interface ReceiptOf {
  readonly id: string
  readonly state: number
  readonly duplicate: boolean
}

/** From a tab. */
export type FromTab =
  /** Who drives? I believe that this hub does, and that it knows me. */
  | { readonly say: 'seek'; readonly hub?: string; readonly session: number }
  /** I am new to you: these queues and workers are mine, and this is what I wait for. */
  | { readonly say: 'hello'; readonly hub: string; readonly session: number; readonly calls: readonly Call[] }
  | { readonly say: 'calls'; readonly hub: string; readonly session: number; readonly calls: readonly Call[] }
  /** There is something in the inbox. */
  | { readonly say: 'left' }
  /** What you refused is told and taken back, or (false) it is yours. */
  | { readonly say: 'told'; readonly hub: string; readonly key: number; readonly takenBack: boolean }
  /** I am: you asked. */
  | { readonly say: 'here'; readonly hub: string }
  | { readonly say: 'bye'; readonly hub: string }

/** From a hub. */
export type FromHub =
  /** I drive, from now on or still; as the owner of this epoch, which counts from when the box is open. There is room or not. */
  | { readonly say: 'driving'; readonly hub: string; readonly isOpen: boolean; readonly epoch: number; readonly isFull: boolean }
  /** To one tab that said hello: this is what was found when the box was opened. */
  | { readonly say: 'welcome'; readonly hub: string; readonly to: string; readonly report: OpenReport }
  /** To one tab that I do not know (any more) from this hello: say hello. */
  | { readonly say: 'stranger'; readonly hub: string; readonly to: string; readonly session: number }
  | { readonly say: 'outputs'; readonly hub: string; readonly to: string; readonly session: number; readonly outputs: readonly Output[] }
  /** What a tab left under this key is in. */
  | { readonly say: 'moved'; readonly hub: string; readonly to: string; readonly key: number; readonly receipts: readonly ReceiptOf[] }
  /** It is refused: take it back, and say whether you could. Only of the owner of this epoch, for the next may accept it. */
  | { readonly say: 'refused'; readonly hub: string; readonly to: string; readonly key: number; readonly epoch: number; readonly failure: Failure }
  /** You have deliveries of mine: are you there? */
  | { readonly say: 'check'; readonly hub: string; readonly to: string }
  /** I drive no more. */
  | { readonly say: 'leaving'; readonly hub: string }

/** What is sent. */
export type Envelope = (FromTab | FromHub) & { readonly ackbox: number; readonly from: string }

const SAYINGS = new Set<string>([
  ...['seek', 'hello', 'calls', 'left', 'told', 'here', 'bye'],
  ...['driving', 'welcome', 'stranger', 'outputs', 'moved', 'refused', 'check', 'leaving'],
])

/** A message of this protocol, in whatever version; `undefined` for all else. */
export function envelopeOf(message: unknown): Envelope | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const { ackbox, from, say } = message as Partial<Envelope>
  const isOne = typeof ackbox === 'number' && typeof from === 'string' && typeof say === 'string' && SAYINGS.has(say)
  return isOne ? (message as Envelope) : undefined
}
