/** Where a box is when nobody says where. */
import { open } from 'ackbox'
import { expect, it } from 'vitest'

import { succeed } from '../../support/programs.ts'
import { temporaryFolder } from '../support/boxes.ts'

const PROGRAM = new URL('../programs/default-target.mjs', import.meta.url)

it('no target is the folder .ackbox, and a relative one is of the working directory, too [A1 default target]', async () => {
  const cwd = await temporaryFolder()
  const lines = await succeed(PROGRAM, [], { cwd })
  expect(JSON.parse(lines.at(-1)!)).toEqual({ nothing: true, relative: true })
  for (const folder of ['.ackbox', 'relative/box']) {
    const box = await open(`${cwd}/${folder}`)
    expect(await box.queues()).toMatchObject([{ name: 'jobs', depth: 1 }])
    await box.close()
  }
})
