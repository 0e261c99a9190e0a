// ackbox as the others are: one queue in a folder, a handler, retries as they come.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { open } from 'ackbox'

const { version } = JSON.parse(readFileSync(new URL('../../../npm/ackbox/package.json', import.meta.url), 'utf8'))

export const about = {
  name: 'ackbox',
  version,
  setup: '`open(folder)`, `process(handler, { concurrency: 5 })`, all options as they are.',
  links: [],
  notes: {},
}

export async function openQueue(folder, handle) {
  const box = await open(join(folder, 'box'))
  const queue = box.queue('jobs')
  if (handle !== undefined) queue.process(({ body }) => handle(body.id), { concurrency: 5 })
  return {
    enqueue: (task) => queue.enqueue(task),
    async idle() {
      for (;;) {
        const { ready, scheduled, leased } = await queue.stats()
        if (ready + scheduled + leased === 0) break
        await pause(10)
      }
      await box.close()
    },
  }
}
