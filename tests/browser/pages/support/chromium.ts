/** One Chromium for a file of tests, and pages in it, each with storage of its own. */
import { chromium, type Browser, type Page } from 'playwright'
import { afterAll, beforeAll, onTestFinished } from 'vitest'

export interface ChromiumOptions {
  /** More for the command line. */
  readonly args?: readonly string[]
  /** Pages that were left are kept to come back to, as outside of tests. */
  readonly cachesPages?: boolean
}

/** Begins with the file and ends with it; gives a page that is closed when the test ends. */
export function useChromium({ args = [], cachesPages = false }: ChromiumOptions = {}): () => Promise<Page> {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', ...args],
      ...(cachesPages ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
    })
  })
  afterAll(() => browser.close())
  return async () => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    return context.newPage()
  }
}
