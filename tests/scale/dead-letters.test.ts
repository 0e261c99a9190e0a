/** A million dead letters are walked over in memory that does not grow with them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { mustRun } from '../support/commands.ts'

const LETTERS = 1_000_000
/** A page has about 0.5 MB; this is far below the bodies of the letters that are met between the quarters that are compared. */
const GROWTH_MAX = 32 << 20
/** A program that hangs ends here. */
const LIMIT_MS = 400_000

function program(name: string): string {
  return fileURLToPath(new URL(`programs/${name}.mjs`, import.meta.url))
}

describe('a million dead letters are paged and iterated in flat memory [A5 dead list]', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ackbox-scale-'))
    await mustRun(process.execPath, [program('make-dead-letters'), folder, String(LETTERS)], folder, {}, LIMIT_MS)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  // In turn on one folder: each leaves the letters as they were.
  it.each(['native', 'wasm'] as const)('on %s', async (engine) => {
    const walk = ['--expose-gc', program('walk-dead-letters'), folder, String(LETTERS)]
    const printed = await mustRun(process.execPath, walk, folder, { ACKBOX_ENGINE: engine }, LIMIT_MS)
    const { grown, ...seen } = JSON.parse(printed) as { grown: { js: number; outside: number } }
    expect(seen).toEqual({ engine, counted: LETTERS, paged: true, iterated: true })
    expect(grown.js).toBeLessThan(GROWTH_MAX)
    expect(grown.outside).toBeLessThan(2 * GROWTH_MAX)
  })
})
