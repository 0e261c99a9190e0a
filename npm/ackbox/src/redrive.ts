/** Redriving dead letters: all at once, or at a pace that a signal or the end of the box cuts off. */
import type { RedriveOptions, RedriveReport } from './api.js'
import type { BoxCore } from './box.js'
import type { DeadFilter as EngineFilter } from './engine/objects.js'
import { AckboxError, invalidOption } from './errors.js'
import { KEY_BYTES_MAX } from './enqueue-options.js'
import type { Range } from './validate.js'
import { choice, integer, optionalSignal, text } from './validate.js'

export const REDRIVE_NAMES = ['limit', 'perSecond', 'to', 'steps', 'signal']

const LIMIT: Range = { min: 1, max: 2 ** 32 - 1 }
/** Letters a second. */
const PACE: Range = { min: 0.001, max: 1_000_000 }

/** What is to be redriven, as the engine is asked for it. */
interface Wanted {
  readonly queue: number
  readonly filter: EngineFilter
  readonly to?: string
  readonly perSecondMilli?: number
}

/** Redrives what a filter of the engine describes; `options` are checked here but for the filter. */
export async function redrive(
  core: BoxCore,
  queue: number,
  filter: EngineFilter,
  options: RedriveOptions,
  where: string,
): Promise<RedriveReport> {
  const { limit, perSecond, to, steps, signal } = options
  if (limit !== undefined) filter.limit = integer(limit, LIMIT, 'limit', where)
  if (to !== undefined) text(to, KEY_BYTES_MAX, 'to', where)
  optionalSignal(signal, where)
  const forgetSteps = steps !== undefined && choice(steps, ['keep', 'forget'], 'steps', where) === 'forget'
  const pace = perSecond === undefined ? undefined : paceOf(perSecond, where)
  core.checkOpen(where)
  signal?.throwIfAborted()
  const wanted = { queue, filter, forgetSteps, ...(to === undefined ? {} : { to }) }
  if (pace === undefined) return core.driver.request({ op: 'redrive', ...wanted })
  return redriveAtPace(core, { ...wanted, perSecondMilli: pace }, signal, where)
}

function paceOf(perSecond: unknown, where: string): number {
  if (typeof perSecond === 'number' && perSecond >= PACE.min && perSecond <= PACE.max) return Math.round(perSecond * 1_000)
  throw invalidOption(`perSecond to be a number from ${PACE.min} to ${PACE.max}`, perSecond, where)
}

/** Keeps the process alive until it is done, and ends with its signal or with the box. */
async function redriveAtPace(
  { driver, inbox }: BoxCore,
  wanted: Wanted,
  signal: AbortSignal | undefined,
  where: string,
): Promise<RedriveReport> {
  let stop = (): void => {}
  let closes = false
  const close = (): void => {
    closes = true
    stop()
  }
  inbox.keepAlive.hold()
  try {
    const report = await driver.request<RedriveReport>({ op: 'redrive', ...wanted }, undefined, (ticket) => {
      const waiter = driver.tickets.at(ticket)
      stop = () => driver.stopWaiting(ticket, waiter)
      inbox.waiting.add(close)
      signal?.addEventListener('abort', stop)
    })
    signal?.throwIfAborted()
    if (closes) {
      const done = `${report.moved} dead letters were redriven, the others stay dead`
      throw new AckboxError('ERR_CLOSED', `${where}: the box closes: ${done}`)
    }
    return report
  } finally {
    inbox.waiting.delete(close)
    signal?.removeEventListener('abort', stop)
    inbox.keepAlive.release()
  }
}
