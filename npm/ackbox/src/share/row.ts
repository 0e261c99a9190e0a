/**
 * What a tab leaves in the inbox: rows, each of messages that become durable together. They may be read by another version than
 * wrote them, and may have been damaged, so nothing in them is taken on trust.
 */
import { encodedBytes } from '../codec.js'
import type { QueueOptions } from '../engine/objects.js'
import type { InputRecord } from './protocol.js'

/** Counts up with every change of what a row is. */
export const ROW_FORMAT = 1

/** What is left under one key: messages that become durable together. */
export interface Row {
  readonly format: number
  /** Who left it. */
  readonly tab: string
  /** When, in ms since 1970. */
  readonly leftAt: number
  readonly items: readonly RowItem[]
}

/** One message, with what its queue is if nobody has defined it yet. */
export interface RowItem {
  readonly queue: string
  readonly options: QueueOptions
  readonly record: InputRecord
  /** Its id was made by the tab, and is no caller's. */
  readonly hasOwnId?: true
}

/** Whether a later version left it, which alone knows what it says. */
export function isNewerRow(row: unknown): boolean {
  const { format } = (row ?? {}) as Partial<Row>
  return typeof format === 'number' && format > ROW_FORMAT
}

/** Whether this is a row, as this version leaves it. */
export function isRow(row: unknown): row is Row {
  const { format, tab, leftAt, items } = (row ?? {}) as Partial<Row>
  const isOne = format === ROW_FORMAT && typeof tab === 'string' && isNumber(leftAt) && Array.isArray(items)
  return isOne && items.length > 0 && items.every(isItem)
}

/** Bytes of its bodies. */
export function bytesOf(row: Row): number {
  return row.items.reduce((sum, { record }) => sum + encodedBytes((record['body'] ?? '') as string | Uint8Array), 0)
}

function isItem(item: unknown): item is RowItem {
  const { queue, options, record } = (item ?? {}) as Partial<RowItem>
  return isText(queue) && queue !== '' && isPlain(options) && isPlain(record) && isEnqueue(record)
}

/** The fields of an enqueue, as the engine takes them: one that is not what it expects would end it. */
function isEnqueue(record: InputRecord): boolean {
  const { priority, delayMs, at, ttlMs, maxAttempts, id, group, destination, headers, body } = record
  return (
    isCount(priority) &&
    priority <= 255 &&
    [delayMs, ttlMs].every((value) => value === undefined || (isNumber(value) && value >= 0)) &&
    (at === undefined || isNumber(at)) &&
    (maxAttempts === undefined || maxAttempts === Infinity || isCount(maxAttempts)) &&
    [id, group, destination].every((value) => value === undefined || isText(value)) &&
    [headers, body].every((value) => value === undefined || isText(value) || value instanceof Uint8Array)
  )
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value)
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}
