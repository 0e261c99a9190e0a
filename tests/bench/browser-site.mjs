// A browser with a service worker of a site in it, for one measurement.

import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright'

const WORKER = fileURLToPath(new URL('browser-worker.js', import.meta.url))
const PAGE = '<!doctype html><title>bench</title><script type="module">await navigator.serviceWorker.register("/worker.js", { type: "module" })</script>'

/** Serves the page and its service worker, as bundled for users: `{ origin, close }`. */
export async function serveBench() {
  const common = { bundle: true, format: 'esm', minify: true, platform: 'browser', target: 'es2022', write: false }
  const { outputFiles } = await build({ ...common, entryPoints: [WORKER], define: { 'process.env.NODE_ENV': '"production"' } })
  const files = {
    '/': { type: 'text/html', content: PAGE },
    '/worker.js': { type: 'text/javascript', content: outputFiles[0].contents },
  }
  const server = createServer((request, answer) => {
    const file = files[request.url]
    if (file === undefined) answer.writeHead(404).end()
    else answer.writeHead(200, { 'content-type': file.type }).end(file.content)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Calls `fn` with the service worker, in a browser whose profile is the empty `directory`. */
export async function inServiceWorker({ program, directory, origin }, fn) {
  const browser = await chromium.launchPersistentContext(directory, {
    executablePath: program,
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
  })
  try {
    const registered = browser.waitForEvent('serviceworker')
    const page = await browser.newPage()
    await page.goto(origin)
    await page.evaluate(async () => void (await navigator.serviceWorker.ready))
    return await fn(await registered, browser.browser()?.version())
  } finally {
    await browser.close()
  }
}
