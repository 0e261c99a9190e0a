import { open } from 'ackbox'
import { httpSender } from 'ackbox/http'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { work } from './work.js'

work({ open, indexedDbStorage, httpSender }, 'worker').then(postMessage, (error) => postMessage(String(error)))
