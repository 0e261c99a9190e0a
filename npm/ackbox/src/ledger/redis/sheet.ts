/**
 * Messages as they are stored: the bytes that `lua/lib/sheet.lua` tells, packed here and read here. The server adds order and time
 * of acceptance in front.
 */

import type { MessageKey } from './message-key.js'

/** What a message is stored with. */
export interface Sheet {
  readonly key: MessageKey
  /** The id that a caller gave; absent: it was generated, and the key tells it. */
  readonly id?: string
  /** Of the body, 8 bytes; with `id`. All zero bytes pass for any body. */
  readonly fingerprint?: Buffer
  readonly body: Buffer
  readonly priority?: number
  /** At most so many attempts; absent: no limit. */
  readonly maxAttempts?: number
  readonly delayMs?: number
  /** In ms since 1970. */
  readonly at?: number
  readonly ttlMs?: number
  readonly group?: string
  readonly destination?: string
  /** As text that only clients read. */
  readonly headers?: string
  /** A generated id that is passed back: it may be known. */
  readonly passedBack?: boolean
}

/** A message as a claim or a look gives it. */
export interface StoredMessage {
  readonly key: MessageKey
  readonly id?: string
  readonly order: number
  readonly enqueuedAt: number
  readonly body: Buffer
  readonly priority: number
  readonly maxAttempts?: number
  readonly dueAt?: number
  readonly expiresAt?: number
  readonly group?: string
  readonly destination?: string
  readonly headers?: string
}

const DELAY = 1
const AT = 2
const TTL = 4
const ID = 8
const GROUP = 16
const DESTINATION = 32
const HEADERS = 64
const KNOWN = 128
const FINGERPRINT_BYTES = 8

/** Packs a message. */
export function packSheet(sheet: Sheet): Buffer {
  const parts: Buffer[] = [Buffer.alloc(4)]
  let flags = 0
  if (sheet.delayMs !== undefined && sheet.delayMs > 0) {
    flags |= DELAY
    parts.push(time(sheet.delayMs))
  } else if (sheet.at !== undefined) {
    flags |= AT
    parts.push(time(sheet.at))
  }
  if (sheet.ttlMs !== undefined) {
    flags |= TTL
    parts.push(time(sheet.ttlMs))
  }
  if (sheet.id !== undefined) {
    flags |= ID
    parts.push(sheet.fingerprint ?? Buffer.alloc(FINGERPRINT_BYTES), ...text(sheet.id))
  }
  if (sheet.group !== undefined) {
    flags |= GROUP
    parts.push(...text(sheet.group))
  }
  if (sheet.destination !== undefined) {
    flags |= DESTINATION
    parts.push(...text(sheet.destination))
  }
  if (sheet.headers !== undefined) {
    flags |= HEADERS
    parts.push(...text(sheet.headers))
  }
  if (sheet.passedBack === true) flags |= KNOWN
  const head = parts[0]!
  head[0] = flags
  head[1] = sheet.priority ?? 0
  head.writeUInt16BE(sheet.maxAttempts ?? 0, 2)
  parts.push(sheet.body)
  return Buffer.concat(parts)
}

/** Reads a message with its key. */
export function readMessage(key: MessageKey, bytes: Buffer): StoredMessage {
  const order = bytes.readUIntBE(0, 6)
  const enqueuedAt = bytes.readUIntBE(6, 6)
  const flags = bytes[12]!
  const limit = bytes.readUInt16BE(14)
  let at = 16
  const nextTime = (): number => bytes.readUIntBE((at += 6) - 6, 6)
  const nextText = (): string => {
    const length = bytes.readUInt16BE(at)
    at += 2 + length
    return bytes.toString('utf8', at - length, at)
  }
  const message: { -readonly [K in keyof StoredMessage]: StoredMessage[K] } = {
    key,
    order,
    enqueuedAt,
    priority: bytes[13]!,
    body: bytes,
  }
  if (limit > 0) message.maxAttempts = limit
  if (flags & DELAY) message.dueAt = enqueuedAt + nextTime()
  else if (flags & AT) message.dueAt = nextTime()
  if (flags & TTL) message.expiresAt = enqueuedAt + nextTime()
  if (flags & ID) {
    at += FINGERPRINT_BYTES
    message.id = nextText()
  }
  if (flags & GROUP) message.group = nextText()
  if (flags & DESTINATION) message.destination = nextText()
  if (flags & HEADERS) message.headers = nextText()
  message.body = bytes.subarray(at)
  return message
}

function time(ms: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(Math.min(Math.max(Math.ceil(ms), 0), 2 ** 48 - 1), 0, 6)
  return bytes
}

function text(value: string): Buffer[] {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length, 0)
  return [length, bytes]
}
