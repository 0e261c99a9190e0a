/**
 * Keys of a box on Redis. All have one hash tag, so a box lies in one slot of a cluster and a transition may touch any of them.
 *
 * The layout is told by `lua/lib/queue.lua`; what is named here is what goes into a call as `KEYS`.
 */

/** Where a box is among the keys of a server: `{name}:`. */
export function boxPrefix(name: string): string {
  return `{${name}}:`
}

/** The key of the box itself. */
export function boxKey(prefix: string): string {
  return `${prefix}box`
}

/** The key of a queue, from which its other keys follow. */
export function queueKey(prefix: string, queue: string): string {
  return `${prefix}q:${queue}`
}

/** The channel on which waiting workers and those who wait for an end are woken. */
export function wakeChannel(prefix: string): string {
  return `${prefix}wake`
}

/** The slot of a key, as Redis Cluster counts: CRC-16 (XMODEM) of what is between the first braces. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc % 16384
}
