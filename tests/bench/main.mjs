// Measures ackbox against a plain reference and against its targets.
//
//   node main.mjs [--only part,part] [--rounds 3] [--orders 200000] [--backlog 1000000] [--ids 1000000]
//                 [--calls 100000] [--limits 1000000] [--outbox 5000] [--check]
//
// Parts: throughput, backlog, ids, steps, breakers, policies, limits, browser. Prints Markdown on standard output,
// progress on standard error, and writes target/bench/bench.md and bench.json, or with --only
// bench-<part>-<part>.md and .json. With --check a missed target is exit code 1.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureBacklog } from './backlog.mjs'
import { measureBreakers } from './breakers.mjs'
import { measureBrowser } from './browser.mjs'
import { RESULTS } from './directories.mjs'
import { measureIds } from './ids.mjs'
import { measureLimits } from './limits.mjs'
import { measurePolicies } from './policies.mjs'
import { describeMachine, toMarkdown } from './report.mjs'
import { measureSteps } from './steps.mjs'
import { measureThroughput } from './throughput.mjs'

const PARTS = {
  throughput: measureThroughput,
  backlog: ({ rounds, backlog, say }) => measureBacklog({ rounds, orders: backlog, say }),
  ids: measureIds,
  steps: measureSteps,
  breakers: measureBreakers,
  policies: measurePolicies,
  limits: measureLimits,
  browser: measureBrowser,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    orders: { type: 'string', default: '200000' },
    backlog: { type: 'string', default: '1000000' },
    ids: { type: 'string', default: '1000000' },
    calls: { type: 'string', default: '100000' },
    limits: { type: 'string', default: '1000000' },
    outbox: { type: 'string', default: '5000' },
    check: { type: 'boolean', default: false },
  },
})
const options = {
  rounds: whole('rounds'),
  orders: whole('orders'),
  backlog: whole('backlog'),
  ids: whole('ids'),
  calls: whole('calls'),
  limits: whole('limits'),
  outbox: whole('outbox'),
}
const parts = chosen()
const say = (line) => process.stderr.write(`${line}\n`)

const machine = describeMachine()
const start = performance.now()
const measured = {}
for (const part of parts) measured[part] = await PARTS[part]({ ...options, say })

const minutes = (performance.now() - start) / 60_000
const loads = [machine.load, describeMachine().load]
const result = { measuredAt: new Date().toISOString(), minutes, machine, loads, options, ...measured }
const markdown = toMarkdown(result)
const name = values.only === undefined ? 'bench' : `bench-${parts.join('-')}`
await mkdir(RESULTS, { recursive: true })
await writeFile(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
await writeFile(join(RESULTS, `${name}.md`), markdown)
process.stdout.write(markdown)
if (values.check && hasMissed(measured)) process.exitCode = 1

function whole(name) {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new RangeError(`--${name} wants a whole number above 0, got '${values[name]}'`)
}

function chosen() {
  const all = Object.keys(PARTS)
  const parts = values.only?.split(',') ?? all
  const unknown = parts.find((part) => !all.includes(part))
  if (unknown !== undefined) throw new RangeError(`--only wants some of ${all.join(', ')}, got '${unknown}'`)
  return parts
}

/** Whether any target in there was. */
function hasMissed(found) {
  if (typeof found !== 'object' || found === null) return false
  return found.met === false || Object.values(found).some(hasMissed)
}
