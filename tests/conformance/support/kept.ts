/** Bad input gets an error and loses nothing: a message that was there before is there afterwards. */
import type { Box, Queue } from 'ackbox'
import { expect } from 'vitest'

import type { Make, Site } from './boxes.ts'

export interface KeptSite {
  readonly site: Site
  readonly box: Box
  readonly queue: Queue<unknown>
  /** Checks, now and after reopening, that the queue holds what was there before, and works. */
  nothingLost(): Promise<void>
}

const KEPT = { id: 'kept', body: { precious: true } } as const

export async function withKeptMessage(make: Make): Promise<KeptSite> {
  const site = await make()
  const queue = site.box.queue<unknown>('jobs')
  await queue.enqueue(KEPT.body, { id: KEPT.id })
  const expectKept = async (): Promise<void> => {
    const found = await site.box.queue<unknown>('jobs').peek({ limit: 100 })
    expect(found.map(({ id, body, state }) => ({ id, body, state }))).toEqual([{ ...KEPT, state: 'ready' }])
  }
  return {
    site,
    box: site.box,
    queue,
    async nothingLost() {
      await expectKept()
      await site.reopen()
      await expectKept()
      const message = await site.box.queue<unknown>('jobs').dequeue()
      expect(message).toMatchObject({ ...KEPT, attempt: 1 })
      await message!.ack()
    },
  }
}
