/** What a box stands on that was opened with `readOnly`: segments that can be read, and nothing that could be written. */
import { AckboxError } from '../errors.js'
import type { Durability, SegmentInfo, Storage, StorageReader } from './storage.js'

export class ReadOnlyStorage implements Storage {
  readonly durability: Durability
  readonly #reader: StorageReader

  constructor(durability: Durability, reader: StorageReader) {
    this.durability = durability
    this.#reader = reader
  }

  async open(): Promise<SegmentInfo[]> {
    return [...this.#reader.segments]
  }

  read(segment: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#reader.read(segment, offset, length)
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  append(): Promise<void> {
    return refuse('append')
  }

  truncate(): Promise<void> {
    return refuse('truncate')
  }

  remove(): Promise<void> {
    return refuse('remove')
  }
}

/** The engine never asks for it; if it did, nothing would be written all the same. */
async function refuse(call: string): Promise<never> {
  throw readOnlyError(`storage.${call}`)
}

/** What a box that is only looked at does not do. */
export function readOnlyError(where: string): AckboxError<'ERR_UNSUPPORTED'> {
  const message = `${where}: the box is open with readOnly: it shows what is on the disk and changes nothing`
  return new AckboxError('ERR_UNSUPPORTED', message)
}
