// better-queue over its SQL store. A task is accepted when its ticket says `queued`, "saved into the store".
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import Database from 'better-sqlite3'

import { versionOf } from '../versions.mjs'

const Queue = createRequire(import.meta.url)('better-queue')

export const about = {
  name: 'better-queue',
  version: versionOf('better-queue'),
  setup: `with better-queue-sql ${versionOf('better-queue-sql')} over sqlite3 ${versionOf('sqlite3')}, \`store: { type: 'sql', dialect: 'sqlite', path, acquireConnectionTimeout: 60_000 }\`, \`concurrent: 5\`, \`maxRetries: 10\`, \`retryDelay: 1_000\`; a task counts as accepted when its ticket says \`queued\`.`,
  links: [{ says: 'storage and retries', url: 'https://github.com/diamondio/better-queue#storage' }],
  notes: {
    outage: 'tasks that came back to be tried again at one time were started several times, or not at all',
    'outage-kill': 'between a failure and its retry a task is in memory only',
  },
}

/** Between a failure and its retry a task is in memory only: so long nothing must have happened before the queue counts as idle. */
const QUIET_MS = 2_500
/** And so often it is asked. */
const ASK_MS = 100

export async function openQueue(folder, handle) {
  const consumes = handle !== undefined
  const work = (task, done) => void handle(task.id).then(() => done(), done)
  const file = join(folder, 'tasks.db')
  const store = { type: 'sql', dialect: 'sqlite', path: file, acquireConnectionTimeout: 60_000 }
  // Who only enqueues does not take tasks out.
  const queue = new Queue(consumes ? work : (_, done) => done(), { store, concurrent: 5, maxRetries: 10, retryDelay: 1_000, autoResume: consumes })
  if (!consumes) queue.pause()
  let lastSign = Date.now()
  for (const event of ['task_started', 'task_finish', 'task_failed', 'task_retry']) queue.on(event, () => (lastSign = Date.now()))
  return {
    enqueue: (task) => new Promise((resolve, reject) => queue.push(task).on('queued', resolve).on('failed', reject)),
    async idle() {
      while (Date.now() - lastSign < QUIET_MS || left(file) > 0) await pause(ASK_MS)
      await new Promise((resolve) => queue.destroy(resolve))
    },
  }
}

/** How many tasks the store holds; asked over a connection of our own, which takes none from the queue. */
function left(file) {
  const store = new Database(file, { readonly: true })
  try {
    return store.prepare('select count(*) as count from tasks').get().count
  } finally {
    store.close()
  }
}
