/** Virtual time: it moves only when told, fires in order, and waits for what is under way. */
import { readFile } from 'node:fs/promises'

import { BUSY, manualClock } from 'ackbox/testing'
import { describe, expect, test } from 'vitest'

import { refusal } from '../support/errors.ts'

const START = Date.UTC(2030, 0, 1)

describe('manualClock [A8 manualClock, A1 clock]', () => {
  test('begins where it is told to, else in 2030, and stands still', async () => {
    expect(manualClock().now()).toBe(START)
    expect(manualClock({ start: 5 }).now()).toBe(5)
    expect(manualClock({ start: new Date(7) }).now()).toBe(7)
    const clock = manualClock()
    await new Promise((resolve) => setImmediate(resolve))
    expect(clock.now()).toBe(START)
  })

  test('fires what falls due in order of time, then of setting, each at its own time', async () => {
    const clock = manualClock({ start: 0 })
    const fired: [string, number][] = []
    const set = (name: string, ms: number) => clock.setTimeout(() => fired.push([name, clock.now()]), ms)
    set('late', 30)
    set('first', 10)
    set('second', 10)
    set('never', 31)
    const cleared = set('cleared', 10)
    clock.clearTimeout(cleared)
    set('now', 0)
    await clock.advance(30)
    expect(fired).toEqual([
      ['now', 0],
      ['first', 10],
      ['second', 10],
      ['late', 30],
    ])
    expect(clock.now()).toBe(30)
  })

  test('fires what is set on the way if it falls due as well', async () => {
    const clock = manualClock({ start: 0 })
    const fired: number[] = []
    const again = () => {
      fired.push(clock.now())
      clock.setTimeout(again, 25)
    }
    clock.setTimeout(again, 25)
    await clock.advance(100)
    expect(fired).toEqual([25, 50, 75, 100])
  })

  test('runs promise chains to their end before it goes on', async () => {
    const clock = manualClock({ start: 0 })
    const log: string[] = []
    clock.setTimeout(async () => {
      for (let link = 0; link < 50; link += 1) await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      log.push(`chain ended at ${clock.now()}`)
    }, 10)
    clock.setTimeout(() => log.push('next timer'), 11)
    await clock.advance(20)
    expect(log).toEqual(['chain ended at 10', 'next timer'])
  })

  test('waits for work that a probe tells of, however long it takes', async () => {
    const clock = manualClock({ start: 0 })
    let work: Promise<unknown> | undefined
    const log: string[] = []
    clock[BUSY].add(() => work)
    clock.setTimeout(() => {
      // The thread pool answers in its own time: later than any number of turns that a clock could count.
      work = readFile(new URL(import.meta.url))
        .then((content) => log.push(`read ${content.length > 0} at ${clock.now()}`))
        .finally(() => (work = undefined))
    }, 10)
    clock.setTimeout(() => log.push('next timer'), 11)
    await clock.advance(20)
    expect(log).toEqual(['read true at 10', 'next timer'])
  })

  test('a probe whose work fails does not stop it', async () => {
    const clock = manualClock({ start: 0 })
    let work: Promise<unknown> | undefined = Promise.reject(new Error('failed')).finally(() => (work = undefined))
    work.catch(() => {})
    clock[BUSY].add(() => work)
    await clock.advance(5)
    expect(clock.now()).toBe(5)
  })

  test('waits for files that are read, though nobody tells of them', async () => {
    const clock = manualClock({ start: 0 })
    const log: string[] = []
    clock.setTimeout(async () => {
      // Longer than any number of turns that a clock could count.
      for (let time = 0; time < 5; time += 1) await readFile(new URL('./', import.meta.url)).catch(() => {})
      for (let time = 0; time < 5; time += 1) log.push(`${(await readFile(new URL(import.meta.url))).length > 0}`)
      log.push(`read at ${clock.now()}`)
    }, 10)
    clock.setTimeout(() => log.push('next timer'), 11)
    await clock.advance(20)
    expect(log.slice(-2)).toEqual(['read at 10', 'next timer'])
  })

  test('does not wait for what only the test can end', async () => {
    const clock = manualClock({ start: 0 })
    let open!: () => void
    const gate = new Promise<void>((resolve) => (open = resolve))
    let passed = false
    clock.setTimeout(() => void gate.then(() => (passed = true)), 10)
    await clock.advance(1000)
    expect([clock.now(), passed]).toEqual([1000, false])
    open()
    await clock.advance()
    expect(passed).toBe(true)
  })

  test('next goes to the earliest timer and no further', async () => {
    const clock = manualClock({ start: 0 })
    const fired: number[] = []
    for (const ms of [40, 15]) clock.setTimeout(() => fired.push(clock.now()), ms)
    expect(await clock.next()).toBe(15)
    expect(fired).toEqual([15])
    expect(await clock.next()).toBe(25)
    expect(fired).toEqual([15, 40])
    expect(await clock.next()).toBeUndefined()
    expect(clock.now()).toBe(40)
  })

  test('moves that are not awaited follow one another', async () => {
    const clock = manualClock({ start: 0 })
    const seen: number[] = []
    clock.setTimeout(() => seen.push(clock.now()), 10)
    clock.setTimeout(() => seen.push(clock.now()), 15)
    const moves = [clock.advance(10), clock.advance(5)]
    await Promise.all(moves)
    expect(seen).toEqual([10, 15])
    expect(clock.now()).toBe(15)
  })

  test('refuses to go back, and what is no time', async () => {
    const clock = manualClock()
    await refusal(clock.advance(-1), 'ERR_INVALID_OPTION', /advance: expected milliseconds from 0, got -1/)
    await refusal(clock.advance(NaN), 'ERR_INVALID_OPTION', /got NaN/)
    await refusal(() => manualClock({ start: new Date(NaN) }), 'ERR_INVALID_OPTION', /start .*got an invalid Date/)
    await refusal(() => manualClock({ begin: 1 } as never), 'ERR_INVALID_OPTION', /unknown option 'begin'/)
  })
})
