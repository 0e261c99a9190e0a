/** The code of the documents that runs in browsers only, as it stands there, through a bundler. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { memoryStorage, open } from 'ackbox'
import { nodeListener, receiver } from 'ackbox/http'
import { build } from 'esbuild'
import { describe, expect, it, onTestFinished } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { site } from './support/site.ts'

const DOCS = new URL('../../../npm/ackbox/docs/', import.meta.url)
const TESTS = fileURLToPath(new URL('../..', import.meta.url))

const newPage = useProfile()

/** The fence of a document, in a language, that says something. */
async function fence(document: string, language: string, saying: string): Promise<string> {
  const text = await readFile(new URL(document, DOCS), 'utf8')
  const fences = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
  const found = fences.filter(([, of, code]) => of === language && code!.includes(saying))
  expect(found, `${document}: fences of ${language} with ${saying}`).toHaveLength(1)
  return found[0]![2]!
}

/** Code as a bundler makes it that leaves what is loaded later in files of its own: these, by their paths. */
async function bundled(name: string, code: string): Promise<Record<string, string>> {
  expect(code, 'not every browser has `using`').not.toMatch(/\busing\b/)
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: TESTS, sourcefile: `${name}.js` },
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    outdir: '/',
    entryNames: name,
    logLevel: 'error',
  })
  expect(outputFiles.length, 'something is loaded later').toBeGreaterThan(1)
  return Object.fromEntries(outputFiles.map(({ path, text }) => [path, text]))
}

const INDEX = { '/index.html': '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>' }

describe('what the documents show', () => {
  it('of a page enqueues on the disk of the browser', async () => {
    const html = await fence('browser.md', 'html', "open('shop')")
    const script = /<script type="module">([^]*)<\/script>/.exec(html)![1]!
    const seen = '\nglobalThis.seen = (await orders.peek()).map(({ body }) => body)'
    const tab = await newPage()
    await tab.goto(`${await site({ files: { ...INDEX, ...(await bundled('page', script + seen)) } })}/index.html`)
    await tab.waitForFunction(() => 'seen' in globalThis)
    expect(await tab.evaluate(() => (globalThis as unknown as { seen: unknown }).seen)).toEqual([{ item: 'tea' }])
  })

  it('of a service worker sends what a page left, each order once [A7 service-worker]', async () => {
    const service = await open(memoryStorage())
    onTestFinished(() => service.close().then(() => {}))
    const inbox = service.queue<{ id: string }>('orders')
    const arrived = new Promise<void>((resolve) => {
      let count = 0
      inbox.on('enqueued', () => void (++count === 3 && resolve()))
    })
    const order = `
      import { open } from 'ackbox'
      import { requestSync } from 'ackbox/service-worker'
      globalThis.order = async (ids) => {
        await navigator.serviceWorker.register('/service-worker.js', { type: 'module' })
        await navigator.serviceWorker.ready
        const orders = (await open('shop', { whenLocked: 'share' })).queue('orders')
        requestSync(orders)
        for (const id of ids) await orders.enqueue({ id }, { id })
      }`
    const worker = await bundled('service-worker', await fence('http.md', 'javascript', 'drainOnSync('))
    const origin = await site({
      files: { ...INDEX, ...(await bundled('page', order)), ...worker },
      listeners: { '/orders': nodeListener(receiver(inbox, { public: true })) },
    })
    const tab = await newPage()
    // The browser stays, with a page that is not of the shop.
    await tab.context().newPage()
    await tab.goto(`${origin}/index.html`)
    await tab.waitForFunction(() => 'order' in globalThis)
    await tab.evaluate(() => (globalThis as unknown as { order(ids: string[]): Promise<void> }).order(['a', 'b', 'c']))
    await tab.close()
    await arrived
    expect((await inbox.peek()).map(({ id, body }) => [id, body?.id]).sort()).toEqual([['a', 'a'], ['b', 'b'], ['c', 'c']])
  })
})
