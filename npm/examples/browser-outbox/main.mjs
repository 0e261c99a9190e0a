// An order page that works offline, and the service that takes each order once.
//
//   node main.mjs [--port 8787] [--folder <of the service's box>]
//
// Open the page, place orders, and be mean: go offline, let the service fail, reload, close the tab, stop this
// program and start it again. The orders of the browser are in its IndexedDB, those of the service in the folder.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startService } from './service.mjs'

const FOLDER = join(tmpdir(), 'ackbox-browser-outbox')
const USAGE = `usage: node main.mjs [--port 8787] [--folder ${FOLDER}]`

try {
  const { port, folder } = readArgs()
  const service = await startService({ folder, port: Number(port) })
  console.log(`The order page:    ${service.url}`)
  console.log(`The service's box: ${folder}`)
  console.log('Ctrl-C stops the service. The page goes on without it.')
  process.once('SIGINT', service.close)
  process.once('SIGTERM', service.close)
} catch (error) {
  console.error(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}

function readArgs() {
  const options = { port: { type: 'string', default: '8787' }, folder: { type: 'string', default: FOLDER } }
  return parseArgs({ options }).values
}
