/**
 * What a power cut could take from a folder, judged by the calls that a storage made: a file is on the disk when a flush
 * that began after its last write has ended, a name when the folder was flushed after it appeared.
 */
import type { Durability } from 'ackbox'

/** One call to the file system, a call of the storage, or its end, in the order in which they came. */
export type Note =
  | { readonly call: 'write' | 'fdatasync' | 'fsync'; readonly name: string; readonly synchronous: boolean }
  | { readonly call: 'create' | 'unlink'; readonly name: string }
  /** The call at this index of the notes is done. */
  | { readonly call: 'done'; readonly of: number }
  | { readonly call: 'remove' | 'appended'; readonly name: string }
  | { readonly call: 'opened'; readonly segments: readonly number[] }

interface File {
  /** Changes that are done. */
  changes: number
  /** How many of these are on the disk. */
  durable: number
  /** Writes under way. */
  writing: number
}

const FOLDER = '.'

export class DiskModel {
  readonly #durability: Durability
  readonly #files = new Map<string, File>()
  /** By the index of a flush that is under way: what it makes durable. */
  readonly #flushes = new Map<number, { name: string; changes: number }>()
  /** By the file that is being removed: what had been written of the others. */
  readonly #removals = new Map<string, [string, number][]>()
  /** What the durability forbids and happened all the same. */
  readonly violations: string[] = []

  /** `inherited` are the files that a dead owner left behind: nobody knows how much of the last is on the disk. */
  constructor(durability: Durability, inherited: readonly string[]) {
    this.#durability = durability
    const last = [...inherited].sort().at(-1)
    if (last !== undefined) for (const name of [FOLDER, last]) this.#file(name).changes += 1
  }

  replay(notes: readonly Note[]): void {
    for (const [index, note] of notes.entries()) this.#take(index, note, notes)
  }

  #take(index: number, note: Note, notes: readonly Note[]): void {
    switch (note.call) {
      case 'create':
        this.#file(FOLDER).changes += 1
        return
      case 'write':
        if (isSegment(note.name)) this.#expectEarlier(note.name)
        this.#file(note.name).writing += 1
        return
      case 'fdatasync':
      case 'fsync':
        this.#flushes.set(index, { name: note.name, changes: this.#file(note.name).changes })
        return
      case 'done':
        return this.#done(note.of, notes[note.of]!)
      case 'opened':
        return this.#expectDurable('it is opened', () => true)
      case 'appended':
        return this.#expectDurable(
          `an append to ${note.name} resolves`,
          (name) => name === FOLDER || (this.#durability === 'power-loss' && name === note.name),
        )
      case 'remove': {
        const others = [...this.#files].filter(([name]) => isSegment(name) && name !== note.name)
        this.#removals.set(
          note.name,
          others.map(([name, { changes }]) => [name, changes]),
        )
        return
      }
      case 'unlink':
        return this.#unlink(note.name)
    }
  }

  #done(of: number, note: Note): void {
    if (note.call === 'write') {
      const file = this.#file(note.name)
      file.writing -= 1
      file.changes += 1
      if (note.synchronous) file.durable = file.changes
    }
    const flush = this.#flushes.get(of)
    if (flush === undefined) return
    const file = this.#file(flush.name)
    file.durable = Math.max(file.durable, flush.changes)
  }

  /** What lives on was written again before the removal was asked for: it must be on the disk before the original goes. */
  #unlink(name: string): void {
    for (const [other, changes] of this.#removals.get(name) ?? []) {
      const file = this.#files.get(other)
      if (file !== undefined && file.durable < changes) this.#complain(other, `${name} is removed`)
    }
    this.#files.delete(name)
  }

  /** A frame says how far the journal was durable when it was sealed: up to the end of the segment before. */
  #expectEarlier(segment: string): void {
    this.#expectDurable(`${segment} is written`, (name) => isSegment(name) && name < segment)
  }

  #expectDurable(when: string, concerns: (name: string) => boolean): void {
    for (const [name, { changes, durable, writing }] of this.#files) {
      if (concerns(name) && (durable < changes || writing > 0)) this.#complain(name, when)
    }
  }

  #complain(name: string, when: string): void {
    this.violations.push(`${name} is not on the disk when ${when}`)
  }

  #file(name: string): File {
    const file = this.#files.get(name) ?? { changes: 0, durable: 0, writing: 0 }
    this.#files.set(name, file)
    return file
  }
}

function isSegment(name: string): boolean {
  return name.endsWith('.ackbox')
}
