/** A million dead letters are walked over in memory that does not grow with them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, it, onTestFinished } from 'vitest'

import { mustRun } from '../support/commands.ts'

const LETTERS = 1_000_000
/** A page has about 0.5 MB; this is far below what a million letters are. */
const GROWTH_MAX = 32 << 20

it('a million dead letters are paged and iterated in flat memory [A5 dead list]', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ackbox-scale-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const program = fileURLToPath(new URL('programs/dead-letters.mjs', import.meta.url))
  const printed = await mustRun(process.execPath, ['--expose-gc', program, folder, String(LETTERS)], folder)
  const { grown, ...seen } = JSON.parse(printed) as { grown: { js: number; resident: number } }
  expect(seen).toEqual({ counted: LETTERS, paged: LETTERS, iterated: LETTERS, once: true, pages: expect.any(Number) })
  expect(grown.js).toBeLessThan(GROWTH_MAX)
  expect(grown.resident).toBeLessThan(4 * GROWTH_MAX)
})
