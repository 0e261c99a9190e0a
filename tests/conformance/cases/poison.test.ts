import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { expect, it } from 'vitest'

import { start } from '../../support/programs.ts'
import { temporaryFolder } from '../support/boxes.ts'

const PROGRAM = new URL('../programs/poison.mjs', import.meta.url)
const MAX_ATTEMPTS = 6

it('a message that kills its process becomes a dead letter and takes none of fifty others with it [S2]', async () => {
  const folder = await temporaryFolder()
  const log = join(folder, 'handled.log')
  let deaths = 0
  let ending = await start(PROGRAM, [join(folder, 'box'), log]).ending
  while (ending.signal === 'SIGKILL' && deaths < MAX_ATTEMPTS + 1) {
    deaths += 1
    ending = await start(PROGRAM, [join(folder, 'box'), log]).ending
  }
  expect(ending).toMatchObject({ code: 0, stderr: '' })
  const { dead, states } = JSON.parse(ending.lines.at(-1)!) as {
    dead: { id: string; reason: string }[]
    states: string[]
  }
  expect(dead).toMatchObject([{ id: 'm-25', reason: 'owner-died' }])
  expect(states.filter((state) => state === 'completed')).toHaveLength(50)

  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
  const poisonStarts = lines.filter((line) => line.startsWith('start 25 '))
  expect(poisonStarts).toHaveLength(deaths)
  // A crash may count one attempt too many, never one too few.
  expect(deaths).toBeLessThanOrEqual(MAX_ATTEMPTS)
  expect(deaths).toBeGreaterThanOrEqual(MAX_ATTEMPTS / 2)
  const done = new Set(lines.filter((line) => line.startsWith('done ')).map((line) => line.split(' ')[1]))
  expect(done.size).toBe(50)
})
