/** What a box means for the process it lives in. */
import { join } from 'node:path'

import { open } from 'ackbox'
import { expect, it } from 'vitest'

import { succeed } from '../../support/programs.ts'
import { temporaryFolder } from '../support/boxes.ts'

function program(name: string): URL {
  return new URL(`../programs/${name}.mjs`, import.meta.url)
}

it('a box that nobody closes lets its process exit, and has kept everything [A1 process life]', async () => {
  const folder = join(await temporaryFolder(), 'box')
  expect(await succeed(program('exit-idle'), [folder])).toEqual(['done'])
  const box = await open(folder)
  expect(await box.queue('jobs').stats()).toMatchObject({ ready: 1, scheduled: 1 })
  await box.close()
})

it('a process stays until what it enqueued is durable', async () => {
  const folder = join(await temporaryFolder(), 'box')
  expect(await succeed(program('exit-pending'), [folder])).toEqual(['accepted'])
})

it('a process stays while what it waits for waits for room in the storage [A1 process life]', async () => {
  expect(await succeed(program('exit-short'))).toEqual(['step recorded', 'paused', 'nothing left to do'])
})

it('an open worker keeps its process alive, a closed one does not [A1 process life]', async () => {
  const folder = join(await temporaryFolder(), 'box')
  expect(await succeed(program('exit-worker'), [folder])).toEqual([
    'handled later',
    'worker closed',
    'nothing left to do',
  ])
})

it('a blocked event loop loses no lease of a running handler [A2 leaseMs]', async () => {
  const folder = join(await temporaryFolder(), 'box')
  const lines = await succeed(program('blocked-loop'), [folder])
  expect(JSON.parse(lines.at(-1)!)).toEqual({
    started: [
      ['a', 1],
      ['b', 1],
    ],
    aborted: 0,
    leasesLost: 0,
  })
})
