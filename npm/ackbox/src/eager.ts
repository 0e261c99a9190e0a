/**
 * All of `ackbox`, loaded at once: what it otherwise loads when it is needed is here from the start. For service workers,
 * where `import()` is not allowed:
 *
 * ```ts
 * import { open } from 'ackbox/eager'
 * ```
 *
 * @module ackbox/eager
 */
import * as wasm from './engine/wasm.js'
import * as openBox from './open-box.js'
import { loadedBefore } from './parts.js'
import * as indexedDb from './storage/indexeddb/index.js'
import * as inline from './wasm/inline.js'

export * from './index.js'

Object.assign(loadedBefore, { indexedDb, inline, openBox, wasm })
