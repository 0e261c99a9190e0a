/** A page that goes on and off line, and is hidden and seen: stood in where there is none, and the real one made so where there is. */
import { onTestFinished, vi } from 'vitest'

import { IN_BROWSER } from './platform.ts'

export interface PageState {
  visibilityState: string
}

/** Until the test ends `navigator` has these members, and `document` is as `page` says; tells the document's event. */
export function standInPage(navigator: object, page: PageState): { readonly changeVisibility: () => void } {
  if (!IN_BROWSER) {
    vi.stubGlobal('navigator', navigator)
    vi.stubGlobal('document', new EventTarget())
    onTestFinished(() => void vi.unstubAllGlobals())
  } else for (const name of Object.keys(navigator)) override(globalThis.navigator, name, () => Reflect.get(navigator, name))
  override(document, 'visibilityState', () => page.visibilityState)
  return { changeVisibility: () => void document.dispatchEvent(new Event('visibilitychange')) }
}

/** The platform's member comes from its prototype, and is there again when this one goes. */
function override(object: object, name: string, get: () => unknown): void {
  Object.defineProperty(object, name, { configurable: true, get })
  onTestFinished(() => void Reflect.deleteProperty(object, name))
}
