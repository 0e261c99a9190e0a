/**
 * `node bundle.mjs`: the package for those who have no bundler, from `dist` into `dist/web`.
 *
 * - `ackbox.js`, `http.js`, `indexeddb.js`, `service-worker.js`: what `import` takes in a page or a dedicated worker; parts are loaded when needed.
 * - `single.js`: all of that in one file, for service workers, in which nothing can be loaded later.
 */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const outdir = `${dist}web`
const ENTRIES = {
  ackbox: 'index.js',
  http: 'http/index.js',
  indexeddb: 'storage/indexeddb/index.js',
  'service-worker': 'service-worker/index.js',
}
const inDist = (file) => `${dist}${file}`
const common = { bundle: true, format: 'esm', minify: true, platform: 'browser', target: 'es2022', logLevel: 'warning' }

rmSync(outdir, { recursive: true, force: true })
const entryPoints = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, inDist(file)]))
await build({ ...common, entryPoints, outdir, splitting: true, chunkNames: 'chunks/[name]-[hash]' })
const whole = ['eager.js', ENTRIES.http, ENTRIES.indexeddb, ENTRIES['service-worker']]
const contents = whole.map((file) => `export * from './${file}'`).join('\n')
await build({ ...common, stdin: { contents, resolveDir: dist }, outfile: `${outdir}/single.js` })
