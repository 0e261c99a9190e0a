import { memoryStorage, open } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'
import { withKeptMessage } from '../support/kept.ts'

type Wrong = Record<string, unknown>

eachStorage('a bad enqueue option [A10 options, A2 headers]', (make) => {
  it.each<[Wrong, RegExp]>([
    [{ id: 'x'.repeat(257) }, /id.*256 bytes/],
    [{ id: 'ü'.repeat(129) }, /id.*256 bytes.*258/],
    [{ id: '' }, /id/],
    [{ id: 5 }, /id.*5/],
    [{ priority: 300 }, /priority.*255.*300/],
    [{ priority: -1 }, /priority.*-1/],
    [{ priority: 1.5 }, /priority.*1\.5/],
    [{ priority: '1' }, /priority.*'1'/],
    [{ delayMs: -1 }, /delayMs.*-1/],
    [{ delayMs: Number.NaN }, /delayMs.*NaN/],
    [{ delayMs: '5' }, /delayMs.*'5'/],
    [{ at: Number.NaN }, /\bat\b.*NaN/],
    [{ at: new Date('no date') }, /\bat\b.*invalid Date/],
    [{ at: 'tomorrow' }, /\bat\b.*'tomorrow'/],
    [{ at: 5, delayMs: 5 }, /\bat\b.*delayMs|delayMs.*\bat\b/],
    [{ ttlMs: 0 }, /ttlMs.*0/],
    [{ ttlMs: Number.NaN }, /ttlMs.*NaN/],
    [{ maxAttempts: 0 }, /maxAttempts.*0/],
    [{ group: '' }, /group/],
    [{ group: 'x'.repeat(257) }, /group.*256/],
    [{ destination: 5 }, /destination.*5/],
    [{ headers: { a: 1 } }, /headers/],
    [{ headers: { a: 'x'.repeat(5_000) } }, /headers/],
    [{ headers: 'a' }, /headers/],
    [{ delay: 5 }, /'delay'.*'delayMs'/],
    [{ prioriy: 5 }, /'prioriy'.*'priority'/],
    [{ somethingElse: 5 }, /'somethingElse'/],
  ])('%j is refused', async (options, message) => {
    const { queue, nothingLost } = await withKeptMessage(make)
    await refusal(queue.enqueue(1, options as never), 'ERR_INVALID_OPTION', message)
    await refusal(queue.enqueueMany([{ body: 1 }, { body: 2, ...options } as never]), 'ERR_INVALID_OPTION', message)
    await nothingLost()
  })
})

it.each<[Wrong, RegExp]>([
  [{ maxAttempts: 0 }, /maxAttempts.*0/],
  [{ maxAttempts: Number.NaN }, /maxAttempts.*NaN/],
  [{ leaseMs: 0 }, /leaseMs.*0/],
  [{ guarantee: 'always' }, /guarantee.*'always'/],
  [{ backoff: 5 }, /backoff.*5/],
  [{ backoff: { kind: 'linear' } }, /'linear'/],
  [{ dedup: { windowMs: -1 } }, /windowMs.*-1/],
  [{ dedup: { window: 1 } }, /'window'.*'windowMs'/],
  [{ dedup: { whenFull: 'panic' } }, /whenFull.*'panic'/],
  [{ maxDepth: 0.5 }, /maxDepth.*0\.5/],
  [{ groupOnDead: 'stop' }, /groupOnDead.*'stop'/],
  [{ id: 'order' }, /\bid\b.*function/],
  [{ codec: 5 }, /codec.*5/],
  [{ maxAttemps: 3 }, /'maxAttemps'.*'maxAttempts'/],
])('the queue option %j is refused', async (options, message) => {
  const box = await open(memoryStorage())
  await refusal(() => box.queue('jobs', options as never), 'ERR_INVALID_OPTION', message)
  expect(await box.queues()).toEqual([])
  await box.close()
})

it.each<[Wrong, RegExp]>([
  [{ concurrency: 0 }, /concurrency.*0/],
  [{ concurrency: Number.NaN }, /concurrency.*NaN/],
  [{ concurency: 5 }, /'concurency'.*'concurrency'/],
])('the worker option %j is refused', async (options, message) => {
  const box = await open(memoryStorage())
  const queue = box.queue('jobs')
  await refusal(() => queue.process(() => {}, options as never), 'ERR_INVALID_OPTION', message)
  await box.close()
})

it.each<[Wrong, RegExp]>([
  [{ segmentBytes: -1 }, /segmentBytes.*-1/],
  [{ maxMemoryBytes: Number.NaN }, /maxMemoryBytes.*NaN/],
  [{ whenLocked: 'steal' }, /whenLocked.*'steal'/],
  [{ clock: 5 }, /clock/],
  [{ segmentByte: 5 }, /'segmentByte'.*'segmentBytes'/],
])('the open option %j is refused', async (options, message) => {
  await refusal(open(memoryStorage(), options as never), 'ERR_INVALID_OPTION', message)
})

it.each<[string, unknown, RegExp]>([
  ['a number', 5, /5/],
  ['null', null, /null/],
  ['an object that is no storage', { append() {} }, /./],
])('open refuses %s as target', async (_, target, message) => {
  await refusal(open(target as never), 'ERR_INVALID_OPTION', message)
})

it.each<[string, unknown]>([
  ['a negative wait', { waitMs: -1 }],
  ['a lease of zero', { leaseMs: 0 }],
  ['an unknown option', { wait: 5 }],
])('dequeue refuses %s', async (_, options) => {
  const box = await open(memoryStorage())
  await refusal(box.queue('jobs').dequeue(options as never), 'ERR_INVALID_OPTION')
  await box.close()
})

it.each([0, -1, 1.5, Number.NaN, '3'])('dequeueMany refuses %j messages', async (max) => {
  const box = await open(memoryStorage())
  await refusal(box.queue('jobs').dequeueMany(max as never), 'ERR_INVALID_OPTION')
  await box.close()
})
