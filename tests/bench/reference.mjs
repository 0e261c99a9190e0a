// The plain reference: what a careful afternoon gives. JSON lines in one file, one buffered
// write and one fdatasync per batch, a Map for the state. An order is handled when its line is
// durable, and settled by another line. It keeps no leases, no retries and no limits, grows for
// ever and cannot recover: it is the price of durability alone.

import { open } from 'node:fs/promises'
import { join } from 'node:path'

export async function openReference(directory) {
  const file = await open(join(directory, 'orders.jsonl'), 'a')
  const state = new Map()
  let lines = []
  let waiting = []
  let flushing
  let handle

  async function flush() {
    while (lines.length > 0) {
      const batch = Buffer.from(lines.join(''))
      const accepted = waiting
      lines = []
      waiting = []
      await file.writev([batch])
      await file.datasync()
      for (const { id, resolve } of accepted) {
        resolve({ id, status: 'accepted', state: 'ready' })
        run(id)
      }
    }
    flushing = undefined
  }

  function append(entry) {
    lines.push(JSON.stringify(entry) + '\n')
    // All that is appended in one turn of the event loop goes out together.
    flushing ??= Promise.resolve().then(flush)
  }

  async function run(id) {
    const body = state.get(id)
    await handle({ id, body })
    state.delete(id)
    append({ settle: id })
  }

  return {
    enqueue(body) {
      return new Promise((resolve) => {
        state.set(body.id, body)
        waiting.push({ id: body.id, resolve })
        append({ enqueue: body.id, body })
      })
    },
    process(handler) {
      handle = handler
    },
    async close() {
      while (state.size > 0 || flushing !== undefined) await (flushing ?? new Promise(setImmediate))
      await file.close()
    },
  }
}
