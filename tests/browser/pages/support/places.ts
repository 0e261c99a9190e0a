/** The three places of a site in which the package has to work, and what each has to report. */
import type { Page } from 'playwright'
import { expect } from 'vitest'

/** What `app/work.js` reports when all went well. */
export const WORKED = { engine: 'wasm', sent: ['one', 'two'], completed: 2, remaining: 0 }

type Work = (name: string) => Promise<unknown>

/** In the page, whose script has put `work` where it is found. */
export async function inPage(page: Page): Promise<unknown> {
  await page.waitForFunction(() => 'work' in globalThis)
  return page.evaluate(() => (globalThis as unknown as { work: Work }).work('page'))
}

/** In the page, over the storage that a name alone stands for. */
function byDefault(page: Page): Promise<unknown> {
  return page.evaluate(() => (globalThis as unknown as { workByDefault: Work }).workByDefault('default'))
}

/** In a dedicated worker, started in the way that bundlers know. */
export function inWorker(page: Page): Promise<unknown> {
  return page.evaluate(async () => {
    const worker = (globalThis as unknown as { startWorker(): Worker }).startWorker()
    return new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = ({ message }) => resolve(`the worker failed: ${message}`)
    })
  })
}

/** In a service worker. */
export function inServiceWorker(page: Page): Promise<unknown> {
  return page.evaluate(async () => {
    await navigator.serviceWorker.register('/service-worker.js', { type: 'module' })
    const { active } = await navigator.serviceWorker.ready
    return new Promise((resolve) => {
      navigator.serviceWorker.onmessage = ({ data }) => resolve(data)
      navigator.serviceWorker.startMessages()
      active!.postMessage('work')
    })
  })
}

/** All three, through every entry of the package that browsers have. */
export async function worksEverywhere(page: Page): Promise<void> {
  expect(await inPage(page)).toEqual(WORKED)
  expect(await byDefault(page)).toBe('power-loss')
  expect(await inWorker(page)).toEqual(WORKED)
  expect(await inServiceWorker(page)).toEqual(WORKED)
}
