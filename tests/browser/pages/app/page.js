import { open } from 'ackbox'
import { httpSender } from 'ackbox/http'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { requestSync } from 'ackbox/service-worker'
import { work } from './work.js'

Object.assign(globalThis, {
  work: (name, options) => work({ open, indexedDbStorage, httpSender }, name, options),
  workByDefault: async (name) => {
    // By a name alone, with the storage that a browser has.
    const box = await open(name)
    const { durability } = box.health().storage
    requestSync(box.queue('orders'), { registration: { active: null } })()
    await box.close()
    return durability
  },
  startWorker: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }),
})
