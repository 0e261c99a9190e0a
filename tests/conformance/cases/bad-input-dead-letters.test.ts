/** What is wrong in a call about dead letters is refused, and nothing dies, lives or goes for it. */
import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { kill } from '../support/letters.ts'

type Wrong = Record<string, unknown>

const FILTERS: [Wrong, RegExp][] = [
  [{ ids: 'a' }, /ids.*array of strings.*'a'/],
  [{ ids: ['a', 5] }, /each of ids to be a string.*5/],
  [{ ids: Array.from({ length: 10_001 }, (_, n) => `${n}`) }, /ids.*10000.*array of 10001/],
  [{ reason: 'bored' }, /reason.*'exhausted'.*'bored'/],
  [{ reason: 5 }, /reason.*5/],
  [{ before: 'now' }, /before.*'now'/],
  [{ before: new Date('no date') }, /before.*invalid Date/],
  [{ after: -1 }, /after.*-1/],
  [{ after: Number.NaN }, /after.*NaN/],
  [{ id: 'a' }, /'id'.*'ids'/],
  [{ raeson: 'expired' }, /'raeson'.*'reason'/],
]

const REDRIVES: [Wrong, RegExp][] = [
  [{ limit: 0 }, /limit.*0/],
  [{ limit: 1.5 }, /limit.*1\.5/],
  [{ limit: '1' }, /limit.*'1'/],
  [{ perSecond: 0 }, /perSecond.*0\.001 to 1000000.*0/],
  [{ perSecond: 1_000_001 }, /perSecond.*1000001/],
  [{ perSecond: Number.NaN }, /perSecond.*NaN/],
  [{ perSecond: Infinity }, /perSecond.*Infinity/],
  [{ perSecond: '5' }, /perSecond.*'5'/],
  [{ to: '' }, /\bto\b.*not empty/],
  [{ to: 'x'.repeat(257) }, /\bto\b.*256/],
  [{ to: { name: 'jobs' } }, /\bto\b.*object/],
  [{ to: '\ud800' }, /\bto\b.*Unicode/],
  [{ steps: 'drop' }, /steps.*'keep'.*'forget'.*'drop'/],
  [{ signal: 'stop' }, /signal.*AbortSignal.*'stop'/],
  [{ perSeconds: 5 }, /'perSeconds'.*'perSecond'/],
]

const PAGES: [Wrong, RegExp][] = [
  [{ limit: 0 }, /limit.*1 to 1000.*0/],
  [{ limit: 1_001 }, /limit.*1 to 1000.*1001/],
  [{ limit: '5' }, /limit.*'5'/],
  [{ after: 5 }, /after.*5/],
  [{ afer: 'x' }, /'afer'.*'after'/],
]

async function withLetter() {
  const { box } = await makeInMemory()
  const queue = box.queue<number>('jobs')
  await kill(queue, 1, 'a')
  return {
    dead: queue.dead,
    untouched: async () => expect(await queue.dead.get('a')).toMatchObject({ id: 'a', body: 1 }),
  }
}

it.each(FILTERS)('the filter %j [A10 options]', async (filter, message) => {
  const { dead, untouched } = await withLetter()
  for (const call of ['count', 'remove', 'redrive'] as const) {
    await refusal(() => dead[call](filter as never), 'ERR_INVALID_OPTION', message)
  }
  await refusal(() => dead.list(filter as never), 'ERR_INVALID_OPTION', message)
  await untouched()
})

it.each(REDRIVES)('the redrive option %j', async (options, message) => {
  const { dead, untouched } = await withLetter()
  await refusal(dead.redrive(options as never), 'ERR_INVALID_OPTION', message)
  await untouched()
})

it.each(PAGES)('the page option %j', async (options, message) => {
  const { dead, untouched } = await withLetter()
  await refusal(dead.list().page(options as never), 'ERR_INVALID_OPTION', message)
  await untouched()
})

it('an id that is no string, and a removal of nothing in particular', async () => {
  const { dead, untouched } = await withLetter()
  await refusal(dead.get(5 as never), 'ERR_INVALID_OPTION', /\bid\b.*5/)
  await refusal(dead.remove(undefined as never), 'ERR_INVALID_OPTION', /undefined/)
  await untouched()
})
