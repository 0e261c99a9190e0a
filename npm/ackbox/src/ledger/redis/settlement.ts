/** How deliveries are settled: the bytes that `lua/lib/settling.lua` tells. */

import type { MessageKey } from './message-key.js'
import { packToken, type Reason, reasonNumber } from './track.js'

/** What becomes of one delivery. `error`: what the history keeps of it, as text that only clients read; absent: nothing. */
export type Settlement = {
  readonly key: MessageKey
  readonly token: number
} & (
  | { readonly kind: 'completed'; readonly result?: Buffer }
  | {
      readonly kind: 'again'
      /** So long from now; or `at`, in ms since 1970. Default: at once. */
      readonly delayMs?: number
      readonly at?: number
      /** False: the attempt does not count. */
      readonly costsAttempt?: boolean
      readonly reason?: Reason
      readonly error?: Buffer
    }
  | { readonly kind: 'dead'; readonly reason: Reason; readonly error?: Buffer }
  /** It never ran: it waits again at once, and the attempt does not count. */
  | { readonly kind: 'returned' }
)

const NUMBERS = { completed: 1, again: 2, dead: 3, returned: 4 } as const
const NOTHING = Buffer.alloc(0)

/** Packs a settlement. */
export function packSettlement(settlement: Settlement): Buffer {
  const head = [Buffer.of(NUMBERS[settlement.kind]), settlement.key, packToken(settlement.token)]
  switch (settlement.kind) {
    case 'completed':
      return Buffer.concat([...head, settlement.result ?? NOTHING])
    case 'returned':
      return Buffer.concat(head)
    case 'dead':
      return Buffer.concat([...head, Buffer.of(reasonNumber(settlement.reason)), settlement.error ?? NOTHING])
    case 'again': {
      const how = Buffer.alloc(8)
      how[0] = (settlement.costsAttempt === false ? 1 : 0) + (settlement.at === undefined ? 0 : 2)
      how.writeUIntBE(Math.max(Math.ceil(settlement.at ?? settlement.delayMs ?? 0), 0), 1, 6)
      how[7] = reasonNumber(settlement.reason ?? 'exhausted')
      return Buffer.concat([...head, how, settlement.error ?? NOTHING])
    }
  }
}

/** Packs a lease and how long it shall last from now. */
export function packExtension(lease: { readonly key: MessageKey; readonly token: number; readonly ms: number }): Buffer {
  const ms = Buffer.alloc(6)
  ms.writeUIntBE(Math.max(Math.ceil(lease.ms), 0), 0, 6)
  return Buffer.concat([lease.key, packToken(lease.token), ms])
}
