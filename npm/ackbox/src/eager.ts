/**
 * Loads at once what the package otherwise loads when it is needed. For service workers, where `import()` is not allowed:
 *
 * ```ts
 * import 'ackbox/eager'
 * import { open } from 'ackbox'
 * ```
 *
 * @module ackbox/eager
 */
import * as wasm from './engine/wasm.js'
import * as openBox from './open-box.js'
import { loadedBefore } from './parts.js'
import * as indexedDb from './storage/indexeddb/index.js'
import * as inline from './wasm/inline.js'

Object.assign(loadedBefore, { indexedDb, inline, openBox, wasm })
