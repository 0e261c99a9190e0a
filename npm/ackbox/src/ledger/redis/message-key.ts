/**
 * How messages are found on Redis: under 16 bytes, which follow from the id.
 *
 * An id that a caller gave becomes a keyed hash (the key is the secret of the box), so nobody can make two that collide. A generated
 * id is its key: time (6 bytes), number in its process (50 bits) and number of the process (30 bits), written as 32 characters of
 * Crockford's base32 like the ids of the embedded engine; its last six characters tell box and queue.
 */

import { createHmac, randomBytes } from 'node:crypto'

/** 16 bytes. */
export type MessageKey = Buffer

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const VALUES = new Map([...ALPHABET].map((character, value) => [character, BigInt(value)]))
const TEXT = /^[0-9a-hjkmnp-tv-z]{32}$/
const KEY_BYTES = 16
const TAG_BITS = 30n
const NUMBER_BITS = 50n

/** Keys and ids of one box. */
export class MessageKeys {
  readonly #secret: Buffer
  readonly #run = BigInt(randomBytes(4).readUInt32BE(0) & 0x3fffffff)
  readonly #tags = new Map<string, string>()
  #number = 0n

  /** @param secret that of the box, 32 bytes */
  constructor(secret: Buffer) {
    this.#secret = secret
  }

  /** A new key: later ones sort behind it. */
  generate(now: number): MessageKey {
    this.#number += 1n
    const value = (BigInt(now) << 80n) | ((this.#number & ((1n << NUMBER_BITS) - 1n)) << 30n) | this.#run
    return Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex')
  }

  /** The id of a generated key. */
  idOf(key: MessageKey, queue: string): string {
    let value = BigInt(`0x${key.toString('hex')}`)
    let text = ''
    for (let at = 0; at < 26; at++) {
      text = ALPHABET[Number(value & 31n)]! + text
      value >>= 5n
    }
    return text + this.#tagOf(queue)
  }

  /** The key of an id: that which it tells if it was generated for this queue, else its hash. */
  keyOf(id: string, queue: string): { readonly key: MessageKey; readonly generated: boolean } {
    if (TEXT.test(id) && id.endsWith(this.#tagOf(queue))) {
      let value = 0n
      for (const character of id.slice(0, 26)) value = (value << 5n) | VALUES.get(character)!
      if (value < 1n << 128n) {
        return { key: Buffer.from(value.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex'), generated: true }
      }
    }
    return { key: this.#hash(`id:${id}`).subarray(0, KEY_BYTES), generated: false }
  }

  /** The fingerprint of a body, 8 bytes, never all zero. */
  fingerprint(body: Uint8Array): Buffer {
    const print = this.#hash(body).subarray(0, 8)
    if (print.every((byte) => byte === 0)) print[7] = 1
    return print
  }

  #tagOf(queue: string): string {
    let tag = this.#tags.get(queue)
    if (tag === undefined) {
      let value = BigInt(this.#hash(`queue:${queue}`).readUInt32BE(0)) & ((1n << TAG_BITS) - 1n)
      tag = ''
      for (let at = 0; at < 6; at++) {
        tag = ALPHABET[Number(value & 31n)]! + tag
        value >>= 5n
      }
      this.#tags.set(queue, tag)
    }
    return tag
  }

  #hash(what: string | Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(what).digest()
  }
}
