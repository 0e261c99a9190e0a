// Runs one measurement in a fresh process and takes its answer.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What the script printed as JSON; undefined if it printed nothing. Rejects with its standard error. */
export async function measure(script, args, { engine, flags = [] } = {}) {
  const env = { ...process.env }
  if (engine !== undefined) env.ACKBOX_ENGINE = engine
  const path = fileURLToPath(new URL(script, import.meta.url))
  const { stdout } = await run(process.execPath, [...flags, path, ...args.map(String)], { env })
  if (stdout === '') return undefined
  const result = JSON.parse(stdout)
  if (result.engine !== undefined && result.engine !== engine) {
    throw new Error(`${script}: expected the ${engine} engine to be measured, it was ${result.engine}`)
  }
  return result
}
