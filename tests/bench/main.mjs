// Measures ackbox against a plain reference and against its targets.
//
//   node main.mjs [--rounds 3] [--orders 200000] [--backlog 1000000] [--ids 1000000] [--calls 100000]
//                 [--limits 1000000] [--check]
//
// Prints Markdown on standard output, progress on standard error, and writes target/bench/bench.md
// and bench.json. With --check a missed target is exit code 1.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureBacklog } from './backlog.mjs'
import { measureBreakers } from './breakers.mjs'
import { RESULTS } from './directories.mjs'
import { measureIds } from './ids.mjs'
import { measureLimits } from './limits.mjs'
import { measurePolicies } from './policies.mjs'
import { describeMachine, toMarkdown } from './report.mjs'
import { measureSteps } from './steps.mjs'
import { measureThroughput } from './throughput.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    orders: { type: 'string', default: '200000' },
    backlog: { type: 'string', default: '1000000' },
    ids: { type: 'string', default: '1000000' },
    calls: { type: 'string', default: '100000' },
    limits: { type: 'string', default: '1000000' },
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
}
const say = (line) => process.stderr.write(`${line}\n`)

const machine = describeMachine()
const start = performance.now()
const throughput = await measureThroughput({ ...options, say })
const backlog = await measureBacklog({ rounds: options.rounds, orders: options.backlog, say })
const ids = await measureIds({ ...options, say })
const steps = await measureSteps({ rounds: options.rounds, say })
const breakers = await measureBreakers({ ...options, say })
const policies = await measurePolicies({ ...options, say })
const limits = await measureLimits({ ...options, say })

const measured = { throughput, backlog, ids, steps, breakers, policies, limits }
const minutes = (performance.now() - start) / 60_000
const loads = [machine.load, describeMachine().load]
const result = { measuredAt: new Date().toISOString(), minutes, machine, loads, options, ...measured }
const markdown = toMarkdown(result)
await writeFile(join(RESULTS, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`)
await writeFile(join(RESULTS, 'bench.md'), markdown)
process.stdout.write(markdown)
const all = [...throughput, ...backlog, ...ids.enqueue, ids.memory, ...breakers, ...policies.throughput, ...policies.destinations, ...limits]
if (values.check && all.some(({ met }) => met === false)) process.exitCode = 1

function whole(name) {
  const value = Number(values[name])
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new RangeError(`--${name} wants a whole number above 0, got '${values[name]}'`)
}
