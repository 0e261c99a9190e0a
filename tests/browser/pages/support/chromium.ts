/** One Chromium for a file of tests, and pages in it, each with storage of its own. */
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, onTestFinished } from 'vitest'

/** Begins with the file and ends with it; gives a page that is closed when the test ends. `more`: of the command line. */
export function useChromium(more: readonly string[] = []): () => Promise<Page> {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', ...more],
    })
  })
  afterAll(() => browser.close())
  return async () => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    return context.newPage()
  }
}
