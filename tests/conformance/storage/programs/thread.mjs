// A thread that opens the folder it is given and then waits to be ended.
import { parentPort, workerData } from 'node:worker_threads'

import { fileStorage } from 'ackbox/file'

await fileStorage({ directory: workerData }).open()
parentPort.postMessage('open')
parentPort.on('message', () => {})
