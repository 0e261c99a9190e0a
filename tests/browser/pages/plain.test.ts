/** Pages without a bundler: what the packed package brings for them, policies, and the ways to name the WebAssembly. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import type { Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { useChromium } from './support/chromium.ts'
import { project, type Project } from './support/packed.ts'
import { inPage, WORKED, worksEverywhere } from './support/places.ts'
import { site } from './support/site.ts'

const APP = fileURLToPath(new URL('app/', import.meta.url))

let app: Project
beforeAll(async () => {
  app = await project()
})
afterAll(() => app.remove())

const newPage = useChromium()

/** The app as a person without a bundler writes it. */
async function plainApp(): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const name of ['index.html', 'page.js', 'worker.js', 'service-worker.js', 'work.js']) {
    const source = await readFile(`${APP}${name}`, 'utf8')
    // One that may load nothing later takes all from one file.
    const file = (entry: string): string => (name === 'service-worker.js' ? 'single' : entry)
    files[`/${name}`] = source.replaceAll(/from 'ackbox\/?([\w-]*)'/g, (_, entry: string) => `from '/ackbox/web/${file(entry || 'ackbox')}.js'`)
  }
  return files
}

async function load(headers: Record<string, string> = {}): Promise<Page> {
  const origin = await site({ folders: { '/ackbox/': app.dist }, files: await plainApp(), headers })
  const page = await newPage()
  await page.goto(`${origin}/index.html`)
  return page
}

describe('a plain script [A1 wasm]', () => {
  it('imports the package in a page, a worker and a service worker, without special headers', async () => {
    const page = await load()
    expect(await page.evaluate(() => [crossOriginIsolated, typeof SharedArrayBuffer])).toEqual([false, 'undefined'])
    await worksEverywhere(page)
  })
})

describe('a Content-Security-Policy [A1 wasm]', () => {
  const policy = (sources: string): Record<string, string> => ({
    'content-security-policy': `default-src 'none'; script-src ${sources}; worker-src 'self'`,
  })

  it("that is strict, with 'wasm-unsafe-eval', is no obstacle", async () => {
    await worksEverywhere(await load(policy("'self' 'wasm-unsafe-eval'")))
  })

  it('that forbids WebAssembly is an error that names the directive', async () => {
    const page = await load(policy("'self'"))
    const failed = await inPage(page).catch((error: unknown) => String(error))
    expect(failed).toMatch(/the Content-Security-Policy of this page forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src directive/)
  })
})

describe('the WebAssembly [A1 wasm]', () => {
  const ADDRESS = '/ackbox/wasm/ackbox_bg.wasm'
  const FORMS: Record<string, string> = {
    'a text': `'${ADDRESS}'`,
    'a URL': `new URL('${ADDRESS}', location.href)`,
    'a Response': `await fetch('${ADDRESS}')`,
    bytes: `await (await fetch('${ADDRESS}')).arrayBuffer()`,
    'a module': `await WebAssembly.compileStreaming(fetch('${ADDRESS}'))`,
  }

  it.each(Object.entries(FORMS))('is taken as %s, and the packaged one is not loaded', async (_, form) => {
    const page = await load()
    const loaded: string[] = []
    page.on('request', (request) => loaded.push(new URL(request.url()).pathname))
    await page.waitForFunction(() => 'work' in globalThis)
    expect(await page.evaluate(`(async () => work('page', { wasm: ${form} }))()`)).toEqual(WORKED)
    expect(loaded.filter((path) => path.includes('wasm') && path.endsWith('.wasm'))).toEqual([ADDRESS])
    expect(loaded.filter((path) => path.includes('inline'))).toEqual([])
  })

  it('that is not there is an error with its address', async () => {
    const page = await load()
    await page.waitForFunction(() => 'work' in globalThis)
    const failed = page.evaluate(`work('page', { wasm: '/no-such.wasm' })`)
    await expect(failed).rejects.toThrow(/ERR_ENGINE|no engine could be loaded: wasm: .*\/no-such\.wasm answered with status 404/)
  })
})
