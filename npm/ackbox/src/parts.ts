/**
 * Parts that are loaded when somebody needs them, so that a page begins with little. A service worker may load nothing once
 * it runs: there `ackbox/eager` has put them here before.
 */

/** Each as the module that `import` would give. */
export interface Parts {
  openBox?: typeof import('./open-box.js')
  indexedDb?: typeof import('./storage/indexeddb/index.js')
  wasm?: typeof import('./engine/wasm.js')
  inline?: typeof import('./wasm/inline.js')
}

export const loadedBefore: Parts = {}
