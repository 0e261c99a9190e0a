/** What became of a message that was claimed, as `lua/lib/track.lua` and `lua/lib/history.lua` store it. */

/** Why a message is dead, or an attempt ended. The place in the list is the number that is stored. */
export const REASONS = [
  undefined,
  'exhausted',
  'timeout',
  'lease-expired',
  'owner-died',
  'permanent',
  'expired',
  'invalid',
  'corrupt',
  'circuit-open',
  'refused',
] as const

/** Why a message is dead, or an attempt ended. */
export type Reason = Exclude<(typeof REASONS)[number], undefined>

/** What is kept of a message that was claimed. */
export interface Track {
  readonly token: number
  readonly process: string
  /** When its lease ends; 0: it has none. */
  readonly leasedUntil: number
  readonly attempts: number
  /** How often its lease ran out since an attempt last ended otherwise. */
  readonly deaths: number
  readonly firstClaimAt: number
  readonly order: number
  readonly reason?: Reason
  readonly hasSteps: boolean
}

/** How one attempt ended. */
export interface AttemptEnd {
  readonly at: number
  readonly attempt: number
  readonly reason: Reason
  /** As the client that settled wrote it; absent if nobody did. */
  readonly error?: string
}

/** The number of a reason. */
export function reasonNumber(reason: Reason): number {
  return REASONS.indexOf(reason)
}

/** Reads a track. */
export function readTrack(bytes: Buffer): Track {
  const reason = REASONS[bytes[65]!]
  return {
    token: readToken(bytes, 0),
    process: bytes.toString('latin1', 8, 20),
    leasedUntil: bytes.readUIntBE(20, 6),
    attempts: bytes.readUInt16BE(26),
    deaths: bytes.readUInt16BE(28),
    firstClaimAt: bytes.readUIntBE(30, 6),
    order: bytes.readUIntBE(43, 6),
    ...(reason === undefined ? {} : { reason }),
    hasSteps: bytes[66] === 1,
  }
}

/** Reads a history, oldest first. */
export function readHistory(bytes: Buffer): AttemptEnd[] {
  const ends: AttemptEnd[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const error = bytes.toString('utf8', at + 13, at + 13 + length)
    ends.push({
      at: bytes.readUIntBE(at + 4, 6),
      attempt: bytes.readUInt16BE(at + 10),
      reason: REASONS[bytes[at + 12]!] ?? 'exhausted',
      ...(length === 0 ? {} : { error }),
    })
    at += 13 + length
  }
  return ends
}

/** A token: below 2^53, in 8 bytes. */
export function readToken(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

/** A token as 8 bytes. */
export function packToken(token: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(Math.floor(token / 2 ** 32), 0)
  bytes.writeUInt32BE(token % 2 ** 32, 4)
  return bytes
}
