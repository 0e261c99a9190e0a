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
  while (ending.signal === 'SIGKILL' && deaths <= MAX_ATTEMPTS) {
    deaths += 1
    ending = await start(PROGRAM, [join(folder, 'box'), log]).ending
  }
  expect(ending).toMatchObject({ code: 0, stderr: '' })
  const { dead, states } = JSON.parse(ending.lines.at(-1)!) as {
    dead: { id: string; reason: string; history: number }[]
    states: string[]
  }
  expect(dead).toEqual([{ id: 'm-25', reason: 'owner-died', history: MAX_ATTEMPTS }])
  expect(states.filter((state) => state === 'completed')).toHaveLength(50)

  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
  // A crash counts an attempt too many where a start was written ahead and not reached. Here nobody but the poison kills,
  // so it was reached each time: its attempts are its deaths, exactly.
  const poisonStarts = lines.filter((line) => line.startsWith('start 25 '))
  expect(poisonStarts).toEqual(Array.from({ length: MAX_ATTEMPTS }, (_, n) => `start 25 ${n + 1}`))
  expect(deaths).toBe(MAX_ATTEMPTS)
  const done = new Set(lines.filter((line) => line.startsWith('done ')).map((line) => line.split(' ')[1]))
  expect(done.size).toBe(50)
})
