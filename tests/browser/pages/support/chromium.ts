/** Chromium for tests, and pages in it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { chromium, type Browser, type BrowserContext, type LaunchOptions, type Page } from 'playwright'
import { afterAll, beforeAll, onTestFailed, onTestFinished } from 'vitest'

/** What is shown of a failed test. */
const LINES_MAX = 40
/** A browser that does not start says so, before the test is over. */
const START_MS = 40_000

export interface ChromiumOptions {
  /** More for the command line. */
  readonly args?: readonly string[]
  /** Pages that were left are kept to come back to, as outside of tests. */
  readonly cachesPages?: boolean
}

function launchOptions({ args = [], cachesPages = false }: ChromiumOptions): LaunchOptions {
  return {
    timeout: START_MS,
    executablePath: process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', ...args],
    ...(cachesPages ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}),
  }
}

/**
 * One browser for a file of tests; gives pages, each with storage of its own, which is in memory as that of a private window:
 * for tests of what is loaded and shown. Begins and ends with the file.
 */
export function useChromium(options: ChromiumOptions = {}): () => Promise<Page> {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch(launchOptions(options))
  })
  afterAll(() => browser.close())
  return async () => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    tellOnFailure(context)
    return context.newPage()
  }
}

/**
 * Gives a page of a browser with a profile of its own on the disk, as that of a person: for tests of what is kept. It ends
 * with the test, and has another, empty page, so that it stays when the last page of a test is closed.
 */
export function useProfile(options: ChromiumOptions = {}): () => Promise<Page> {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ackbox-profile-'))
    const context = await chromium.launchPersistentContext(folder, launchOptions(options))
    onTestFinished(async () => {
      await context.close()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    })
    tellOnFailure(context)
    return context.newPage()
  }
}

/** What the pages said is shown if the test fails, so that one that hangs tells where. */
function tellOnFailure(context: BrowserContext): void {
  const said: string[] = ['the browser was started']
  context.on('page', (page) => said.push(`a page was opened: ${page.url()}`))
  context.on('console', (message) => said.push(message.text()))
  context.on('weberror', (error) => said.push(String(error.error().stack ?? error.error())))
  onTestFailed(() => console.error(said.slice(-LINES_MAX).join('\n')))
}
