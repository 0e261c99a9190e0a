/** The picture of the page about circuit breakers is what the program beside it draws of the package as it is. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, it, onTestFinished } from 'vitest'

import { mustRun } from '../support/commands.ts'

const EXAMPLE = fileURLToPath(new URL('../../npm/examples/outage', import.meta.url))
const PICTURE = new URL('../../npm/ackbox/docs/outage.svg', import.meta.url)

it.each(['native', 'wasm'])('the outage is drawn as it is shown, on %s', async (engine) => {
  const folder = await mkdtemp(join(tmpdir(), 'ackbox-outage-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const drawn = join(folder, 'outage.svg')
  const said = await mustRun(process.execPath, ['main.mjs', drawn], EXAMPLE, { ACKBOX_ENGINE: engine })
  expect(said).toMatch(/^with: .* 0 dead letters$/m)
  expect(said).toMatch(/^without: .* [1-9]\d* dead letters$/m)
  expect(await readFile(drawn, 'utf8')).toBe(await readFile(PICTURE, 'utf8'))
})
