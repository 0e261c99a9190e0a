import { open } from 'ackbox/eager'
import { work } from './work.js'

self.addEventListener('message', (event) => {
  const answer = (result) => event.source.postMessage(result)
  event.waitUntil(work(open, 'service-worker').then(answer, (error) => answer(String(error))))
})
