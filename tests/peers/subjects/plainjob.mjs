// plainjob over better-sqlite3. A job is accepted when `add` returns.
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'

import { versionOf } from '../versions.mjs'

const LOGGER = { error() {}, warn() {}, info() {}, debug() {} }

const KEPT = 'there are no retries: what failed is kept as failed for 30 days'

export const about = {
  name: 'plainjob',
  version: versionOf('plainjob'),
  setup: `over better-sqlite3 ${versionOf('better-sqlite3')}, \`defineQueue({ connection: better(new Database(file)) })\`, five workers; a job counts as accepted when \`add\` returns. Jobs whose worker died come again after \`timeout\`, 30 minutes: instead of waiting that long the program calls \`requeueTimedOutJobs\` when it starts.`,
  links: [{ says: 'queue and workers', url: 'https://github.com/justplainstuff/plainjob#usage' }],
  notes: {
    'power-cut': 'its SQLite runs with `synchronous = NORMAL`, which flushes at a checkpoint; a round is shorter than one',
    outage: KEPT,
    'outage-kill': KEPT,
  },
}

export async function openQueue(folder, handle) {
  const queue = defineQueue({ connection: better(new Database(join(folder, 'jobs.db'))), logger: LOGGER })
  // Nobody else runs: whatever is called running belongs to a process that died.
  queue.requeueTimedOutJobs(-1)
  const worker = () => defineWorker('task', ({ data }) => handle(JSON.parse(data).id), { queue, logger: LOGGER, pollIntervall: 20 })
  const workers = handle === undefined ? [] : Array.from({ length: 5 }, worker)
  const running = workers.map((each) => each.start())
  return {
    enqueue: async (task) => queue.add('task', task),
    async idle() {
      while (queue.countJobs({ status: JobStatus.Pending }) + queue.countJobs({ status: JobStatus.Processing }) > 0) await pause(10)
      await Promise.all(workers.map((each) => each.stop()))
      await Promise.all(running)
      queue.close()
    },
  }
}
