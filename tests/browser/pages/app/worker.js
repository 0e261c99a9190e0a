import { work } from './work.js'

work('worker').then(postMessage, (error) => postMessage(String(error)))
