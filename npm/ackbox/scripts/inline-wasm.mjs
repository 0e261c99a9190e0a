/**
 * `node inline-wasm.mjs <ackbox_bg.wasm> <inline.js>`: the WebAssembly as a module of JavaScript, which every bundler and every
 * server knows how to deliver. Deflated, for text that stands for bytes takes a third more, and compresses badly on its way.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'

const [wasm, module] = process.argv.slice(2)
const packed = deflateRawSync(readFileSync(wasm), { level: 9 }).toString('base64')
writeFileSync(module, `/** The WebAssembly of the engine: deflated (raw), in Base64. */\nexport const packed = '${packed}'\n`)
