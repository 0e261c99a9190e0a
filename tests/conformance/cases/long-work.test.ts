/** Work of the engine that takes long leaves turns to everybody else in the process. */
import { memoryStorage, open } from 'ackbox'
import { expect, it, onTestFinished } from 'vitest'

const START = 1_900_000_000_000
const UNIT = 10_000
const UNITS = 10

it('very many messages that fall due at once take several turns of the event loop [S24]', async () => {
  let now = START
  let fire = (): void => {}
  const probes = new Set<() => PromiseLike<unknown> | undefined>()
  const clock = {
    [Symbol.for('ackbox.busy')]: probes,
    now: () => now,
    setTimeout(fn: () => void) {
      fire = fn
      return { ref() {}, unref() {} }
    },
    clearTimeout() {},
  }
  const box = await open(memoryStorage(), { clock })
  onTestFinished(async () => void (await box.close({ timeoutMs: 0 })))
  const queue = box.queue<number>('jobs')
  const at = START + 1_000
  for (let unit = 0; unit < UNITS; unit += 1) {
    await queue.enqueueMany(Array.from({ length: UNIT }, (_, n) => ({ body: n, at })))
  }
  now = at
  fire()
  for (let job = 0; job < 1_000; job += 1) await null
  const [isBusy] = probes
  let turns = 0
  for (; isBusy!() !== undefined; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(turns).toBeGreaterThanOrEqual(2)
  expect(await queue.stats()).toMatchObject({ scheduled: 0, ready: UNIT * UNITS })
})
