/**
 * What is flushed when, seen in the calls that a box on a file storage really makes.
 *
 * `'power-loss'`: an append that resolved is on the disk. `'process-crash'`: bytes reach the disk when the next segment
 * begins, before anything is removed, and before what a dead owner left is shown as part of the journal.
 */
import { readdirSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { temporaryFolder } from '../support/boxes.ts'
import { start } from './support/child.ts'
import { DiskModel, type Note } from './support/disk-model.ts'

function segmentsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.ackbox'))
}

describe.each(['power-loss', 'process-crash'] as const)('%s', (durability) => {
  test('nothing is called durable before it is, over two lives that were killed [A8 fileStorage, S18]', async () => {
    const directory = await temporaryFolder()
    for (const life of [1, 2]) {
      const inherited = segmentsIn(directory)
      expect(inherited.length > 0).toBe(life === 2)
      const program = start('trace.mjs', [directory, durability])
      const { notes } = (await program.line()) as { notes: Note[] }
      await program.ended()

      const of = (call: Note['call']): Note[] => notes.filter((note) => note.call === call)
      const segments = new Set(of('appended').map((note) => (note as { name: string }).name))
      expect(segments.size, 'segments').toBeGreaterThan(3)
      expect(of('unlink').filter((note) => (note as { name: string }).name.endsWith('.ackbox')).length, 'removals').toBeGreaterThan(1)
      const model = new DiskModel(durability, inherited)
      model.replay(notes)
      expect(model.violations).toEqual([])
    }
  })
})

test('a file is not closed under a flush: a removal beside the begin of a segment', async () => {
  const program = start('slow-flush.mjs', [await temporaryFolder()])
  expect(await program.line()).toEqual({ closedUnderFlush: [], calls: ['fulfilled', 'fulfilled'] })
})

describe('the model', () => {
  const name = '00000001.ackbox'
  const next = '00000002.ackbox'
  const write = (of: string): Note => ({ call: 'write', name: of, synchronous: false })
  const flush = (of: string): Note => ({ call: 'fdatasync', name: of, synchronous: false })
  const done = (of: number): Note => ({ call: 'done', of })

  const written = (of: string, from: number): Note[] => [write(of), done(from)]
  const flushed = (of: string, from: number): Note[] => [flush(of), done(from)]

  test.each<[string, 'power-loss' | 'process-crash', readonly string[], Note[], string[]]>([
    ['a flush that ended', 'power-loss', [], [...written(name, 0), ...flushed(name, 2), { call: 'appended', name }], []],
    [
      'a write that flushes',
      'power-loss',
      [],
      [{ call: 'write', name, synchronous: true }, done(0), { call: 'appended', name }],
      [],
    ],
    [
      'no flush',
      'power-loss',
      [],
      [...written(name, 0), { call: 'appended', name }],
      [`${name} is not on the disk when an append to ${name} resolves`],
    ],
    ['no flush, which the weaker mode allows', 'process-crash', [], [...written(name, 0), { call: 'appended', name }], []],
    [
      'a flush that has not ended',
      'process-crash',
      [],
      [...written(name, 0), flush(name), write(next)],
      [`${name} is not on the disk when ${next} is written`],
    ],
    [
      'a flush that began before the write was done',
      'process-crash',
      [],
      [write(name), flush(name), done(0), done(1), write(next)],
      [`${name} is not on the disk when ${next} is written`],
    ],
    [
      'what a dead owner left',
      'process-crash',
      [name],
      [...flushed('.', 0), { call: 'opened', segments: [1] }],
      [`${name} is not on the disk when it is opened`],
    ],
    [
      'a name without its folder',
      'process-crash',
      [],
      [{ call: 'create', name }, ...written(name, 1), { call: 'appended', name }],
      [`. is not on the disk when an append to ${name} resolves`],
    ],
    [
      'a removal before the copies are there',
      'process-crash',
      [],
      [...written(next, 0), { call: 'remove', name }, { call: 'unlink', name }],
      [`${next} is not on the disk when ${name} is removed`],
    ],
    [
      'a removal beside a later append',
      'process-crash',
      [],
      [...written(next, 0), { call: 'remove', name }, ...flushed(next, 3), ...written(next, 5), { call: 'unlink', name }],
      [],
    ],
  ])('sees %s, %s', (_, durability, inherited, notes, violations) => {
    const model = new DiskModel(durability, inherited)
    model.replay(notes)
    expect(model.violations).toEqual(violations)
  })
})
