/**
 * `node size/main.mjs`: what a browser downloads, after compression (brotli), and what of it takes the room. Fails where a
 * part is larger than its limit; limits are what was reached, goals what is still to be reached.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

import { build } from 'esbuild'

import { sizesByPart } from './wasm-functions.mjs'

const DIST = fileURLToPath(new URL('../../npm/ackbox/dist/', import.meta.url))
/** As the compiler left it, with the names of functions; only where it was built. */
const COMPILED = fileURLToPath(new URL('../../target/wasm32-unknown-unknown/wasm/ackbox_wasm.wasm', import.meta.url))
const KIB = 1024
/** What is loaded when it is needed has limits of its own; the main entry is what every page pays for. */
const PARTS = [
  { name: 'main entry', file: 'index.js', limitKib: 16 },
  { name: 'a box, when it is opened', file: 'open-box.js', limitKib: 40 },
  { name: 'the database, when it is opened', file: 'storage/indexeddb/index.js', limitKib: 10 },
  { name: 'http', file: 'http/index.js', limitKib: 12 },
]
/**
 * The goal is out of reach: speed goes first. Compiled for size as a whole (`s`) it was a quarter smaller and 7 % slower from
 * enqueue to drain in memory; what is on the way of no message is compiled for size.
 */
const WASM = { limitKib: 410, goalKib: 70 }
const MODULES_SHOWN = 6

const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }).length
const kib = (bytes) => `${(bytes / KIB).toFixed(1)} KiB`

/** What comes later is no part of this. */
const later = {
  name: 'later',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, external: true } : undefined))
  },
}

/** A part with all that it needs at once, minified and in one piece. */
async function bundle(file) {
  const options = { bundle: true, format: 'esm', minify: true, platform: 'browser', target: 'es2022', write: false, metafile: true }
  const { outputFiles, metafile } = await build({ ...options, entryPoints: [DIST + file], plugins: [later] })
  const [{ inputs }] = Object.values(metafile.outputs)
  const modules = Object.entries(inputs).map(([path, { bytesInOutput }]) => ({ path: path.replace(/^.*(dist|node_modules)\//, ''), bytes: bytesInOutput }))
  return { bytes: brotli(outputFiles[0].contents), modules: modules.sort((a, b) => b.bytes - a.bytes) }
}

let failed = 0
function check(name, bytes, { limitKib, goalKib }, largest = []) {
  const isOver = bytes > limitKib * KIB
  if (isOver) failed++
  const goal = goalKib === undefined ? '' : `, goal ${goalKib} KiB`
  console.log(`${isOver ? 'TOO LARGE ' : ''}${name}: ${kib(bytes)} (limit ${limitKib} KiB${goal})`)
  for (const { path, bytes: own } of largest.slice(0, MODULES_SHOWN)) console.log(`    ${kib(own).padStart(9)} minified: ${path}`)
}

/** Of the WebAssembly: code alone, neither optimised nor compressed, which leave a quarter of it. */
function showParts() {
  const parts = existsSync(COMPILED) ? sizesByPart(readFileSync(COMPILED)) : undefined
  if (parts === undefined) return
  const all = parts.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { part, bytes, functions } of parts) {
    const share = `${Math.round((100 * bytes) / all)} %`.padStart(4)
    console.log(`    ${kib(bytes).padStart(9)} compiled, ${share}: ${part} (${functions} functions)`)
  }
}

for (const { name, file, limitKib } of PARTS) {
  const { bytes, modules } = await bundle(file)
  check(name, bytes, { limitKib }, modules)
}
check('WebAssembly', brotli(readFileSync(`${DIST}wasm/ackbox_bg.wasm`)), WASM)
showParts()
process.exitCode = failed === 0 ? 0 : 1
