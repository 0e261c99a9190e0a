/** Pages in which the whole package is found under `ackbox`, for what a test does there by hand. */
import { fileURLToPath } from 'node:url'

import type { Page } from 'playwright'

import { site, type SiteOptions } from './site.ts'

const DIST = fileURLToPath(new URL('../../../../npm/ackbox/dist/', import.meta.url))

/** What the functions of a test find in such a page. */
export interface Shown {
  readonly ackbox: typeof import('ackbox') & typeof import('ackbox/http') & typeof import('ackbox/indexeddb')
}

/** A site with one such page; resolves with its address. */
export async function shownSite({ files, ...options }: Omit<SiteOptions, 'folders'> = {}): Promise<string> {
  const shown = {
    '/index.html': '<!doctype html><title>shown</title><script type="module" src="/page.js"></script>',
    '/page.js': `import * as ackbox from '/ackbox/web/single.js'\nObject.assign(globalThis, { ackbox })`,
  }
  const origin = await site({ ...options, folders: { '/ackbox/': DIST }, files: { ...shown, ...files } })
  return `${origin}/index.html`
}

/** Loads it in a tab. */
export async function show(page: Page, url: string): Promise<Page> {
  await page.goto(url)
  await page.waitForFunction(() => 'ackbox' in globalThis)
  return page
}
