// How long the engine holds the thread: times each call into it, from outside of the package.
//
// Import it before anything of the package: it wraps the methods of the engine that `ACKBOX_ENGINE` names. A call that
// the system puts aside for another process seems long on the clock, so the time that this thread was really run counts, where the
// system tells it: on Linux, as of its last tick, which is up to 4 ms ago. What other processes take from the caches counts.

import { openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'

const TIMED = ['step', 'call', 'take']

const dist = new URL('./', import.meta.resolve('ackbox'))
let longestMs = 0

const threadMs = threadClock() ?? (() => performance.now())
const prototype = process.env.ACKBOX_ENGINE === 'wasm' ? await ofWasm() : await ofNative()
for (const name of TIMED) {
  const call = prototype[name]
  prototype[name] = function (...args) {
    const start = threadMs()
    try {
      return call.apply(this, args)
    } finally {
      longestMs = Math.max(longestMs, threadMs() - start)
    }
  }
}

/** The longest call since the last time that it was asked, in milliseconds. */
export function takeLongest() {
  const longest = longestMs
  longestMs = 0
  return longest
}

/** Milliseconds that the main thread was run, as Linux counts them. */
function threadClock() {
  if (process.platform !== 'linux') return undefined
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`)
  const text = Buffer.alloc(64)
  return () => {
    readSync(file, text, 0, text.length, 0)
    return Number(text.latin1Slice(0, text.indexOf(' '))) / 1e6
  }
}

async function ofNative() {
  const { addonName } = await import(new URL('engine/native.js', dist).href)
  const addon = createRequire(import.meta.url)(new URL(`native/${addonName()}`, dist).pathname)
  return addon.NodeEngine.prototype
}

async function ofWasm() {
  const glue = await import(new URL('wasm/ackbox.js', dist).href)
  return glue.WasmEngine.prototype
}
