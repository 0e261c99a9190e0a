/** The judge of histories finds each kind of wrong in a history that holds it, and nothing in one that is right. */
import { describe, expect, it } from 'vitest'

import { findViolations } from './history/check.mjs'
import { parseLine } from './history/read.mjs'

const QUEUES = {
  jobs: { guarantee: 'at-least-once' },
  orders: { guarantee: 'exactly-once' },
  notes: { guarantee: 'at-most-once', concurrency: 1 },
  slips: { guarantee: 'at-least-once', leaseMs: 100 },
  tabs: { guarantee: 'at-least-once', deathsAreFree: true },
} as const

/** Judges lines of `<who> <ms> <kind> <words>`. */
function judge(history: string): string[] {
  const lines = history.trim().split('\n').map((line) => /^(\S+) (\d+) (.*)$/.exec(line.trim())!)
  const events = lines.map(([, by, ms, said]) => parseLine(`${Number(ms) * 1e6} ${said}`, by!))
  return findViolations(events, QUEUES)
}

/** A message that was accepted before 10 ms. */
const accepted = (queue: string, id: string, group = '-'): string => `p 1 invoked ${queue} ${id} ${group}\n p 9 receipt ${queue} ${id} accepted`
const found = (queue: string, id: string, state = 'completed'): string => `box 9999 found ${queue} ${id} ${state} true`
const started = (ms: number, queue: string, id: string, attempt: number, token = attempt, by = 'a', intact = true): string =>
  `${by} ${ms} started ${queue} ${id} ${attempt} ${token} ${intact} ${ms * 1e6}`

const SOUND: [string, string][] = [
  [
    'one delivery for each message',
    `a 0 opened native\n ${accepted('jobs', 'j')}\n ${started(10, 'jobs', 'j', 1)}\n a 11 handled jobs j 1\n a 12 settled jobs j\n ${found('jobs', 'j')}`,
  ],
  [
    'a second delivery behind a kill, an attempt that was written ahead, and a step that was cut off',
    `a 0 opened native\n ${accepted('orders', 'o')}\n ${started(10, 'orders', 'o', 1)}
     a 11 began orders o 1 check k1\n s 12 effect orders o check k1 new\n n 13 killed a\n a 14 recorded orders o 1 check\n n 15 died a SIGKILL
     b 16 opened wasm\n ${started(17, 'orders', 'o', 3, 9, 'b')}\n b 18 recorded orders o 9 check\n b 19 handled orders o 9\n ${found('orders', 'o')}`,
  ],
  [
    'a step that failed and was repeated under its key',
    `a 0 opened native\n ${accepted('orders', 'o')}\n ${started(10, 'orders', 'o', 1)}
     a 11 began orders o 1 check k1\n s 12 effect orders o check k1 new\n a 13 unrecorded orders o 1 check TimeoutError\n a 14 failed orders o 1
     ${started(20, 'orders', 'o', 2)}\n a 21 began orders o 2 check k1\n s 22 effect orders o check k1 again\n a 23 recorded orders o 2 check
     a 24 handled orders o 2\n ${found('orders', 'o')}`,
  ],
  [
    'a lease that ran out, and a settlement that was refused',
    `a 0 opened native\n ${accepted('slips', 's')}\n ${started(10, 'slips', 's', 1)}\n ${started(110, 'slips', 's', 2)}
     a 111 handled slips s 1\n a 112 refused slips s 1 ERR_LEASE_LOST\n a 113 handled slips s 2\n a 114 acked slips s 2\n ${found('slips', 's')}`,
  ],
  [
    'a lease that ran out before anybody saw its delivery',
    `a 0 opened native\n ${accepted('slips', 's')}\n ${started(10, 'slips', 's', 1)}\n ${started(250, 'slips', 's', 3)}\n a 251 handled slips s 3\n ${found('slips', 's')}`,
  ],
  [
    'a group in order, over a death',
    `a 0 opened native\n ${accepted('jobs', 'j', 'g')}\n p 10 invoked jobs k g\n p 11 receipt jobs k accepted\n ${started(12, 'jobs', 'j', 1)}
     n 13 killed a\n n 14 died a SIGKILL\n b 15 opened native\n ${started(16, 'jobs', 'j', 2, 2, 'b')}\n b 17 handled jobs j 2
     ${started(18, 'jobs', 'k', 1, 3, 'b')}\n b 19 handled jobs k 3\n ${found('jobs', 'j')}\n ${found('jobs', 'k')}`,
  ],
  [
    'an attempt that comes again behind a death that is free, and one that was counted',
    `a 0 opened native\n ${accepted('tabs', 't')}\n ${started(12, 'tabs', 't', 1)}\n n 13 killed a\n n 14 died a SIGKILL\n b 15 opened native
     ${started(16, 'tabs', 't', 1, 2, 'b')}\n b 17 failed tabs t 2\n ${started(18, 'tabs', 't', 2, 3, 'b')}\n b 19 handled tabs t 3\n ${found('tabs', 't')}`,
  ],
  ['what was never accepted and is not there', 'p 1 invoked jobs j -\n box 9999 found jobs j unknown false'],
  ['one of at-most-once that went with its owner', `a 0 opened native\n ${accepted('notes', 'n')}\n n 20 killed a\n n 21 died a SIGKILL\n ${found('notes', 'n')}`],
  ['one that failed for good', `a 0 opened native\n ${accepted('jobs', 'j')}\n ${started(10, 'jobs', 'j', 1)}\n a 11 failed jobs j 1\n a 12 dead jobs j permanent\n ${found('jobs', 'j', 'dead')}`],
]

/** What an owner does before and behind what is wrong. */
const owned = (lines: string): string => `a 0 opened native\n ${lines}`
const jobs = (lines: string): string => owned(`${accepted('jobs', 'j')}\n ${lines}\n ${found('jobs', 'j')}`)
const orders = (lines: string): string => owned(`${accepted('orders', 'o')}\n ${lines}\n ${found('orders', 'o')}`)
const HANDLED = `${started(10, 'jobs', 'j', 1)}\n a 11 handled jobs j 1`

const WRONG: [string, string, string[]][] = [
  ['a message that is gone', owned(`${accepted('jobs', 'j')}\n ${found('jobs', 'j', 'unknown')}`), ['lost: jobs/j']],
  ['a message of which the box says nothing', owned(accepted('jobs', 'j')), ['lost: jobs/j']],
  ['a message that is left over', owned(`${accepted('jobs', 'j')}\n ${found('jobs', 'j', 'ready')}`), ['left ready: jobs/j']],
  ['one that is called completed and was never handled', owned(`${accepted('jobs', 'j')}\n ${found('jobs', 'j')}`), ['completed without being handled: jobs/j']],
  ['one that is called dead and never failed', owned(`${accepted('jobs', 'j')}\n ${HANDLED}\n ${found('jobs', 'j', 'dead')}`), ['dead without a failure: jobs/j']],
  ['another result', owned(`${accepted('jobs', 'j')}\n ${HANDLED}\n box 99 found jobs j completed false`), ['another result than was given: jobs/j']],
  ['a delivery that nobody enqueued', owned(`${HANDLED}\n ${found('jobs', 'j')}`), ['unexpected started: jobs/j']],
  ['a delivery ahead of its message', owned(`${started(1, 'jobs', 'j', 1)}\n p 2 invoked jobs j -\n a 11 handled jobs j 1\n ${found('jobs', 'j')}`), ['unexpected started: jobs/j']],
  ['another body', jobs(`${started(10, 'jobs', 'j', 1, 1, 'a', false)}\n a 11 handled jobs j 1`), ['damaged body: jobs/j']],
  ['a delivery behind the end', jobs(`${HANDLED}\n a 12 settled jobs j\n n 13 killed a\n n 14 died a SIGKILL\n b 15 opened native\n ${started(16, 'jobs', 'j', 2, 2, 'b')}`), ['came back after its end: jobs/j']],
  ['a second delivery without a reason', jobs(`${HANDLED}\n ${started(12, 'jobs', 'j', 2)}`), ['delivered again without a reason: jobs/j']],
  ['a second delivery inside the lease', owned(`${accepted('slips', 's')}\n ${started(10, 'slips', 's', 1)}\n ${started(90, 'slips', 's', 2)}\n a 91 handled slips s 2\n ${found('slips', 's')}`), ['delivered again without a reason: slips/s']],
  ['a second delivery of what is delivered at most once', owned(`${accepted('notes', 'n')}\n ${started(10, 'notes', 'n', 1)}\n n 11 killed a\n n 12 died a SIGKILL\n b 13 opened native\n ${started(14, 'notes', 'n', 2, 2, 'b')}\n ${found('notes', 'n')}`), ['delivered twice, at most once: notes/n']],
  ['a token that comes again', jobs(`${started(10, 'jobs', 'j', 1)}\n a 11 failed jobs j 1\n ${started(12, 'jobs', 'j', 2, 1)}\n a 13 handled jobs j 1`), ['a token that does not grow: jobs/j']],
  ['an attempt that was not counted', jobs(`${started(10, 'jobs', 'j', 1)}\n a 11 failed jobs j 1\n ${started(12, 'jobs', 'j', 1, 2)}\n a 13 handled jobs j 2`), ['attempt 1 behind attempt 1 and 0 deaths: jobs/j']],
  ['an attempt that comes again without a death', owned(`${accepted('tabs', 't')}\n ${started(10, 'tabs', 't', 1)}\n a 11 failed tabs t 1\n ${started(12, 'tabs', 't', 1, 2)}\n a 13 handled tabs t 2\n ${found('tabs', 't')}`), ['attempt 1 behind attempt 1 and 0 deaths: tabs/t']],
  ['an attempt too many', jobs(`${started(10, 'jobs', 'j', 2)}\n a 11 handled jobs j 2`), ['attempt 2 behind attempt 0 and 0 deaths: jobs/j']],
  ['two settlements', owned(`${accepted('slips', 's')}\n ${started(10, 'slips', 's', 1)}\n ${started(120, 'slips', 's', 2)}\n a 121 handled slips s 2\n a 122 acked slips s 2\n a 123 acked slips s 1\n ${found('slips', 's')}`), ['settled twice: slips/s', 'settled with a stale token: slips/s']],
  ['a recorded step that runs again', orders(`${started(10, 'orders', 'o', 1)}\n a 11 began orders o 1 check k\n s 12 effect orders o check k new\n a 13 recorded orders o 1 check\n a 14 failed orders o 1\n ${started(15, 'orders', 'o', 2)}\n a 16 began orders o 2 check k\n s 17 effect orders o check k again\n a 18 handled orders o 2`), ["recorded step 'check' ran again: orders/o"]],
  ['a step that runs again without a reason', orders(`${started(10, 'orders', 'o', 1)}\n a 11 began orders o 1 check k\n s 12 effect orders o check k new\n a 13 began orders o 1 check k\n s 14 effect orders o check k again\n a 18 handled orders o 1`), ["step 'check' ran again without a reason: orders/o"]],
  ['an effect that is there twice', orders(`${started(10, 'orders', 'o', 1)}\n a 11 began orders o 1 check k\n s 12 effect orders o check k new\n a 13 unrecorded orders o 1 check X\n a 14 failed orders o 1\n ${started(15, 'orders', 'o', 2)}\n a 16 began orders o 2 check l\n s 17 effect orders o check l new\n a 18 handled orders o 2`), ["effect 'check' doubled: orders/o", "another key for 'check': orders/o"]],
  ['a step that is recorded and was not done', orders(`${started(10, 'orders', 'o', 1)}\n a 13 recorded orders o 1 check\n a 14 handled orders o 1`), ["step 'check' recorded without its effect: orders/o"]],
  ['a group out of order', owned(`${accepted('jobs', 'j', 'g')}\n p 10 invoked jobs k g\n p 11 receipt jobs k accepted\n ${started(12, 'jobs', 'k', 1, 1)}\n a 13 handled jobs k 1\n ${started(14, 'jobs', 'j', 1, 2)}\n a 15 handled jobs j 2\n ${found('jobs', 'j')}\n ${found('jobs', 'k')}`), ['reordered in jobs/g: k']],
  ['a group in which one starts before the other has ended', owned(`${accepted('jobs', 'j', 'g')}\n p 10 invoked jobs k g\n p 11 receipt jobs k accepted\n ${started(12, 'jobs', 'j', 1, 1)}\n ${started(13, 'jobs', 'k', 1, 2)}\n a 14 handled jobs j 1\n a 15 handled jobs k 2\n ${found('jobs', 'j')}\n ${found('jobs', 'k')}`), ['reordered in jobs/g: k']],
  ['two owners', 'a 0 opened native\n b 5 opened wasm\n n 6 killed a\n n 7 died a SIGKILL', ['two owners: a and b']],
  ['more lost at most once than was in flight', owned(`${accepted('notes', 'm')}\n ${accepted('notes', 'n')}\n n 20 killed a\n n 21 died a SIGKILL\n ${found('notes', 'm')}\n ${found('notes', 'n')}`), ['lost more than was in flight at 1 deaths: 2 of notes']],
]

describe('a history', () => {
  it.each(SOUND)('is right with %s', (_, history) => {
    expect(judge(history)).toEqual([])
  })

  it.each(WRONG)('is found out that has %s', (_, history, violations) => {
    expect(judge(history)).toEqual(violations)
  })

  it('is refused when nobody knows what a line says', () => {
    expect(() => parseLine('1 vanished jobs j', 'a')).toThrow("a wrote a line that no rule knows: '1 vanished jobs j'")
    expect(() => parseLine('1 settled jobs', 'a')).toThrow('no rule knows')
  })
})
