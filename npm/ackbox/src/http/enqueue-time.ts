/**
 * When a message was enqueued, as its sender tells whoever receives it. A receiver remembers keys for a while; one that is
 * older may have been forgotten, and would count as new.
 */

/** Milliseconds since 1970, by the sender's clock. */
export const ENQUEUED_AT = 'ackbox-enqueued-at'

/** As a header has it. */
export function writeEnqueuedAt(enqueuedAt: number): string {
  return String(Math.max(0, Math.floor(enqueuedAt)))
}

/** Reads it; `undefined` for what is no time. */
export function readEnqueuedAt(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

/** What a receiver makes of a key that old: `unknowable` ones it may have taken and forgotten. */
export type KeyAge = 'known' | 'unknowable' | 'ahead'

/** `marginMs`: so far clocks may differ, and so long a request may take, without harm. */
export function ageOf(enqueuedAt: number, now: number, windowMs: number, marginMs: number): KeyAge {
  if (enqueuedAt > now + marginMs) return 'ahead'
  return now - enqueuedAt > windowMs - marginMs ? 'unknowable' : 'known'
}
