import { open } from 'ackbox'
import { work } from './work.js'

work(open, 'worker').then(postMessage, (error) => postMessage(String(error)))
