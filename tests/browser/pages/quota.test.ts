/** A browser that gives no more room: Chromium is told a quota before the origin first asks. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import type { Health } from 'ackbox'
import type { Page } from 'playwright'
import { describe, expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { site } from './support/site.ts'

const DIST = fileURLToPath(new URL('../../../npm/ackbox/dist/', import.meta.url))
const APP = fileURLToPath(new URL('app/', import.meta.url))

const newPage = useProfile()

interface Short {
  readonly page: Page
  /** From now on the origin has so many bytes. */
  give(quotaSize: number): Promise<void>
}

/** A page of a fresh origin with so many bytes, in which `run` of `app/full.js` is. */
async function pageWith(quotaSize: number): Promise<Short> {
  const script = (await readFile(`${APP}full.js`, 'utf8')).replace("from 'ackbox'", "from '/ackbox/web/ackbox.js'")
  const files = { '/index.html': '<script type="module" src="/full.js"></script>', '/full.js': script }
  const origin = await site({ folders: { '/ackbox/': DIST }, files })
  const page = await newPage()
  const session = await page.context().newCDPSession(page)
  const give = async (bytes: number): Promise<void> => {
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: bytes })
  }
  await give(quotaSize)
  await page.goto(`${origin}/index.html`)
  await page.waitForFunction(() => 'fill' in globalThis)
  return { page, give }
}

interface Filled {
  readonly accepted: number
  readonly refusal: { readonly code: string; readonly message: string }
  /** What came of another enqueue, a small one. */
  readonly again: string
  readonly health: Health
  readonly drained: { readonly completed: number; readonly remaining: number }
  /** What came of an enqueue after all that, when the box was opened again. */
  readonly reopened: string
}

interface Fill {
  fill(bytes: number, most: number): Promise<Filled>
}

/** Messages that no quota of this file has room for. */
const MOST = 100

const fill = (page: Page, bytes: number): Promise<Filled> =>
  page.evaluate(([size, most]) => (globalThis as unknown as Fill).fill(size, most), [bytes, MOST] as const)

describe('a quota that is used up [A8 indexedDbStorage, A8 clean]', () => {
  // The origin has three mebibytes; half of one is kept for settlements.
  it('refuses what finds no room, says how much there is, works off what it has, and takes more when it is gone', async () => {
    const { page } = await pageWith(3 << 20)
    const { accepted, refusal, again, health, drained, reopened } = await fill(page, 100_000)
    expect(accepted).toBeGreaterThan(5)
    expect(accepted, 'the origin has no such quota').toBeLessThan(MOST)
    expect(refusal.code).toBe('ERR_STORAGE_FULL')
    expect(refusal.message).toMatch(/no room for \d+ bytes: the browser reports \d+ bytes in use and a quota of \d+/)
    expect(health).toMatchObject({ ok: false, storage: { failed: false, full: true } })
    expect(again).toBe('ERR_STORAGE_FULL')
    expect(drained).toMatchObject({ completed: accepted, remaining: 0 })
    expect(reopened).toBe('accepted')
  })

  it('refuses one message that is larger than all the room there is, and keeps the room for others', async () => {
    const { page } = await pageWith(3 << 20)
    const outcome = await page.evaluate(() => (globalThis as unknown as { tooLarge(bytes: number): Promise<unknown> }).tooLarge(4 << 20))
    expect(outcome).toEqual({
      refused: { code: 'ERR_STORAGE_FULL', message: expect.stringMatching(/no room for \d+ bytes: the browser reports \d+ bytes in use/) },
      next: 'ERR_STORAGE_FULL',
      reopened: 'accepted',
    })
  })
})
