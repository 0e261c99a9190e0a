/** Real time: counted by the monotonic clock, corrected forward by the wall clock, never back. */
import type { Clock } from 'ackbox'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

/** The package takes time and timers as they are when it is loaded: a copy that is loaded now takes those of the test. */
async function systemClock(): Promise<Clock> {
  const copy = new URL(`./clock.js?copy=${(copies += 1)}`, import.meta.resolve('ackbox'))
  return ((await import(/* @vite-ignore */ copy.href)) as typeof import('ackbox')).systemClock()
}
let copies = 0

describe('systemClock', () => {
  let wall = 0
  let monotonic = 0

  beforeEach(() => {
    wall = 1_000_000
    monotonic = 500.25
    vi.spyOn(Date, 'now').mockImplementation(() => wall)
    vi.spyOn(performance, 'now').mockImplementation(() => monotonic)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test('begins with the wall clock and counts whole milliseconds by the monotonic one', async () => {
    const clock = await systemClock()
    expect(clock.now()).toBe(1_000_000)
    monotonic += 7.9
    wall += 8
    expect(clock.now()).toBe(1_000_007)
  })

  test('does not follow a wall clock that is set back, or ahead by no more than a second', async () => {
    const clock = await systemClock()
    monotonic += 100
    wall -= 3_600_000
    expect(clock.now()).toBe(1_000_100)
    wall = 1_001_100
    expect(clock.now()).toBe(1_000_100)
  })

  test('jumps to a wall clock that is more than a second ahead: the machine slept', async () => {
    const clock = await systemClock()
    monotonic += 100
    wall += 100 + 8 * 3_600_000
    expect(clock.now()).toBe(wall)
    monotonic += 5
    wall += 5
    expect(clock.now()).toBe(wall)
  })

  test('never goes back, whatever the wall clock does', async () => {
    const clock = await systemClock()
    let last = clock.now()
    for (const [wallStep, monotonicStep] of [
      [5000, 1],
      [-9000, 1],
      [0, 3],
      [20_000, 0],
      [-20_000, 0],
      [1, 1],
    ] as const) {
      wall += wallStep
      monotonic += monotonicStep
      const now = clock.now()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
  })
})

describe('its timers', () => {
  test('fire once and can be cleared and unreferenced', async () => {
    const clock = await systemClock()
    let fired = 0
    const cleared = clock.setTimeout(() => (fired += 100), 0)
    clock.clearTimeout(cleared)
    await new Promise<void>((resolve) => {
      const handle = clock.setTimeout(() => {
        fired += 1
        resolve()
      }, 1)
      handle.unref()
      handle.ref()
    })
    expect(fired).toBe(1)
  })

  test('that are longer than timers can be do not fire at once', async () => {
    const timeouts = vi.spyOn(globalThis, 'setTimeout')
    const clock = await systemClock()
    const handle = clock.setTimeout(() => {}, 2 ** 40)
    expect(timeouts.mock.calls.at(-1)?.[1]).toBe(2 ** 31 - 1)
    clock.clearTimeout(handle)
    timeouts.mockRestore()
  })
})
