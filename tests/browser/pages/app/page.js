import { open } from 'ackbox'
import { work } from './work.js'

Object.assign(globalThis, {
  work: (name, options) => work(open, name, options),
  startWorker: () => new Worker(new URL('./worker.js', import.meta.url), { type: 'module' }),
})
