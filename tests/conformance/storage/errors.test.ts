/** The one error class, what handlers throw, and messages that help. */
import { AckboxError, ERROR_CODES, PermanentError, RetryAfterError, type HeadersLike } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { describe, expect, test } from 'vitest'

import { refusal } from '../support/errors.ts'
import { IN_BROWSER } from '../support/platform.ts'

describe('AckboxError [A10 errors]', () => {
  test('has code, message, cause and frozen details', () => {
    const cause = new Error('why')
    const error = new AckboxError('ERR_CORRUPT', 'damaged', { cause, details: { segment: 3, offset: 128 } })
    expect(error).toBeInstanceOf(Error)
    expect({ ...error, message: error.message, cause: error.cause }).toEqual({
      name: 'AckboxError',
      code: 'ERR_CORRUPT',
      message: 'damaged',
      cause,
      details: { segment: 3, offset: 128 },
    })
    expect(Object.isFrozen(error.details)).toBe(true)
    expect(new AckboxError('ERR_CLOSED', 'closed').details).toEqual({})
    expect('cause' in new AckboxError('ERR_CLOSED', 'closed')).toBe(false)
  })

  test('is told by code, and by nothing else', () => {
    const error: unknown = new AckboxError('ERR_LOCKED', 'locked', {
      details: { pid: 1, since: 2, sameProcess: false },
    })
    expect(AckboxError.is(error)).toBe(true)
    expect(AckboxError.is(error, 'ERR_CLOSED')).toBe(false)
    if (!AckboxError.is(error, 'ERR_LOCKED')) throw new Error('expected ERR_LOCKED')
    expect(error.details.pid).toBe(1)
    for (const other of [undefined, null, 'ERR_LOCKED', { code: 'ERR_LOCKED' }, new Error('ERR_LOCKED')]) {
      expect(AckboxError.is(other)).toBe(false)
    }
  })

  test.skipIf(IN_BROWSER)('is known in another copy of the package', async () => {
    const index = import.meta.resolve('ackbox')
    const copy = (await import(
      /* @vite-ignore */ new URL('./ackbox-error.js?copy', index).href
    )) as typeof import('ackbox')
    expect(copy.AckboxError).not.toBe(AckboxError)
    expect(AckboxError.is(new copy.AckboxError('ERR_CLOSED', 'closed'), 'ERR_CLOSED')).toBe(true)
  })

  test('codes are a frozen list without doubles', () => {
    expect(Object.isFrozen(ERROR_CODES)).toBe(true)
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length)
    expect([...ERROR_CODES]).toEqual([...ERROR_CODES].sort())
  })
})

describe.skipIf(IN_BROWSER)('an unknown option [A10 options]', () => {
  const unknown = (name: string) => refusal(() => fileStorage({ directory: 'x', [name]: 1 }), 'ERR_INVALID_OPTION')

  test.each([
    ['directry', 'directory'],
    ['Durability', 'durability'],
    ['clok', 'clock'],
    ['read_size', 'readSize'],
  ])('%s: the nearest one is named', async (name, nearest) => {
    expect((await unknown(name)).message).toBe(`fileStorage: unknown option '${name}'; did you mean '${nearest}'?`)
  })

  test('that resembles none: all are named', async () => {
    expect((await unknown('whenLocked')).message).toBe(
      "fileStorage: unknown option 'whenLocked'; known options are directory, durability, clock, readSize",
    )
    expect((await unknown('x'.repeat(100_000))).message.length).toBeLessThan(200)
  })
})

describe('RetryAfterError [A3 RetryAfterError]', () => {
  const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
  const headers = (values: Record<string, string>): Headers => new Headers(values)
  const header = (value: string): Headers => headers({ 'Retry-After': value })

  test.each<[string, number | Date | HeadersLike, number | undefined]>([
    ['milliseconds', 1500, 1500],
    ['0', 0, 0],
    ['an instant to come', new Date(NOW + 250), 250],
    ['an instant that has passed', new Date(NOW - 250), 0],
    ['seconds in a header', header('120'), 120_000],
    ['an HTTP date', header('Fri, 02 Jan 2026 03:05:05 GMT'), 60_000],
    ['an HTTP date of the second kind', header('Friday, 02-Jan-26 03:04:15 GMT'), 10_000],
    ['an HTTP date of the third kind', header('Fri Jan  2 03:04:06 2026'), 1000],
    ['an HTTP date that has passed', header('Fri, 02 Jan 2026 00:00:00 GMT'), 0],
    ['an HTTP date beside the time of the server', headers({ date: 'Fri, 02 Jan 2031 00:00:00 GMT', 'retry-after': 'Fri, 02 Jan 2031 00:00:07 GMT' }), 7000],
    ['an HTTP date that had passed when it was sent', headers({ date: 'Fri, 02 Jan 2026 03:04:05 GMT', 'retry-after': 'Thu, 01 Jan 2026 00:00:00 GMT' }), 0],
    ['a year of the last century', header('Friday, 02-Jan-76 03:04:15 GMT'), 0],
    ['a plain object', { 'Retry-After': '7' }, 7000],
    ['a plain object with a number', { 'retry-after': 7 }, 7000],
    ['the headers of a message of Node', { 'retry-after': ['7', '9'], 'set-cookie': ['a', 'b'] }, 7000],
    ['a plain object without it', {}, undefined],
    ['more than a day', header('864000'), 86_400_000],
    ['more than numbers hold', header('9'.repeat(400)), 86_400_000],
    ['a date in a year', header('Sat, 02 Jan 2027 03:04:05 GMT'), 86_400_000],
    ['a date in another zone', header('Fri, 02 Jan 2026 03:05:05 CET'), undefined],
    ['a date of ISO 8601', header('2026-01-02T03:05:05Z'), undefined],
    ['a month that does not exist', header('Fri, 02 Foo 2026 03:05:05 GMT'), undefined],
    ['no header', new Headers(), undefined],
    ['a header that is no time', header('soon'), undefined],
    ['a header that is negative', header('-5'), undefined],
    ['a header with a fraction', header('1.5'), undefined],
  ])('%s', (_, when, delayMs) => {
    expect(new RetryAfterError(when).delayMs(NOW)).toBe(delayMs)
  })

  test('keeps its cause, and costs an attempt only if it is told to', () => {
    const cause = new Error('429')
    expect(new RetryAfterError(5, { cause }).cause).toBe(cause)
    expect(new RetryAfterError(5).costsAttempt).toBe(false)
    expect(new RetryAfterError(5, { costsAttempt: true }).costsAttempt).toBe(true)
  })

  test('takes headers that throw, or are no text, as none', () => {
    const broken = {
      get(): string {
        throw new Error('detached')
      },
    }
    expect(new RetryAfterError(broken).delayMs(NOW)).toBeUndefined()
    expect(new RetryAfterError({ 'retry-after': {} }).delayMs(NOW)).toBeUndefined()
  })

  test.each([[NaN], [-1], [Infinity], [new Date(NaN)], ['5'], [undefined], [null], [['retry-after', '5']]])(
    'refuses %s',
    async (when) => {
      await refusal(
        () => new RetryAfterError(when as never),
        'ERR_INVALID_OPTION',
        /RetryAfterError: expected milliseconds from 0/,
      )
    },
  )
})

describe('what handlers throw', () => {
  test('is told apart, also from what other packages throw', () => {
    const permanent = new PermanentError('no such card', { cause: 'bank' })
    expect([permanent.name, permanent.message, permanent.cause]).toEqual(['PermanentError', 'no such card', 'bank'])
    const later = new RetryAfterError(5)
    expect([PermanentError.is(permanent), PermanentError.is(later), PermanentError.is(new Error())]).toEqual([
      true,
      false,
      false,
    ])
    expect([RetryAfterError.is(later), RetryAfterError.is(permanent), RetryAfterError.is('later')]).toEqual([
      true,
      false,
      false,
    ])
    expect(AckboxError.is(permanent)).toBe(false)
  })
})
