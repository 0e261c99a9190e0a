/** Starting a worker: its options are checked before the engine hears of it. */
import type { Handler, WorkerOptions } from './api.js'
import type { BoxCore } from './box.js'
import type { HandlerLimits, WorkerOpened } from './engine/objects.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import type { EmbeddedQueue } from './queue.js'
import type { Range } from './validate.js'
import { callable, checkNames, choice, duration, integer, MAX_MS, text } from './validate.js'
import { ActiveWorker } from './worker.js'
import { withDefaults } from './worker-defaults.js'
import { defaultNetworkMode, type ReadinessOptions } from './worker-readiness.js'
import { cooldownsOf, gateOf, judgesOf, POLICY_NAMES, toEnginePolicies } from './worker-policies.js'

const LIMIT: Range = { min: 1, max: MAX_MS }
const CONCURRENCY: Range = { min: 1, max: 100_000 }
const NAMES = ['concurrency', 'name', 'classify', 'timeoutMs', 'maxRuntimeMs', 'ready', 'networkMode', ...POLICY_NAMES]

/** `others`: names of options that the caller has checked. */
export function startWorker(
  core: BoxCore,
  queue: EmbeddedQueue,
  handler: Handler<never, unknown>,
  named: WorkerOptions<never>,
  where: string,
  others: readonly string[] = [],
): ActiveWorker {
  callable(handler, 'the handler', where)
  checkNames(named, [...NAMES, ...others], where)
  const options = withDefaults(handler, named, NAMES)
  const { concurrency: wanted = 1, name = queue.name } = options
  const concurrency = integer(wanted, CONCURRENCY, 'concurrency', where)
  text(name, KEY_BYTES_MAX, 'name', where)
  const { classify } = options
  if (classify !== undefined) callable(classify, 'classify', where)
  const limits = checkLimits(options, where)
  const readiness = checkReadiness(options, where)
  const policies = toEnginePolicies(options, name, where)
  core.checkOpen(where)
  const { driver, inbox, middleware } = core
  const breaker = gateOf(options)
  const sluice = breaker && inbox.sluices.join(driver, breaker, queue)
  const number = openWorker()
  const hasCircuits = (policies.breaker ?? policies.perDestination?.breaker) !== undefined
  const source = queue
  const worker = new ActiveWorker({
    driver, inbox, middleware, source, number, handler, name, concurrency, classify, limits, hasCircuits, readiness,
    breaker, sluice, judges: judgesOf(options), cooldowns: cooldownsOf(options),
  })
  inbox.workers.set(number, worker)
  return worker

  function openWorker(): number {
    const opening = { op: 'openWorker', queue: queue.number, concurrency, limits } as const
    try {
      return driver.call<WorkerOpened>({ ...opening, policies: { ...policies, sluice: sluice?.number } }).worker
    } catch (error) {
      if (breaker !== undefined) inbox.sluices.part(breaker, queue)
      throw error
    }
  }
}

/** `undefined`: it never pauses by itself. */
function checkReadiness(options: WorkerOptions<never>, where: string): ReadinessOptions | undefined {
  const { ready, networkMode = defaultNetworkMode() } = options
  if (ready !== undefined) callable(ready, 'ready', where)
  choice(networkMode, ['online', 'always'], 'networkMode', where)
  return ready === undefined && networkMode === 'always' ? undefined : { ready, networkMode }
}

function checkLimits({ timeoutMs, maxRuntimeMs }: WorkerOptions<never>, where: string): HandlerLimits {
  const limits: HandlerLimits = {}
  if (timeoutMs !== undefined) limits.timeoutMs = duration(timeoutMs, LIMIT, 'timeoutMs', where)
  if (maxRuntimeMs !== undefined) limits.maxRuntimeMs = duration(maxRuntimeMs, LIMIT, 'maxRuntimeMs', where)
  return limits
}
