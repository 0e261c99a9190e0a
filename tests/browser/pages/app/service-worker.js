import 'ackbox/eager'
import { work } from './work.js'

self.addEventListener('message', ({ source, waitUntil }) => {
  void waitUntil
  work('service-worker').then(
    (result) => source.postMessage(result),
    (error) => source.postMessage(String(error)),
  )
})
