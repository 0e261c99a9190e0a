import { open } from 'ackbox/eager'
import { httpSender } from 'ackbox/http'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { drainOnSync } from 'ackbox/service-worker'
import { work } from './work.js'

const stop = drainOnSync(() => {})

self.addEventListener('message', (event) => {
  stop()
  const answer = (result) => event.source.postMessage(result)
  event.waitUntil(work({ open, indexedDbStorage, httpSender }, 'service-worker').then(answer, (error) => answer(String(error))))
})
