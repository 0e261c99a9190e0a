/** The engine in Chromium is the native engine: for the same inputs the same bytes, objects and events. */
import { describe, expect, inject, it } from 'vitest'

import { InjectedStorage } from '../conformance/support/injected-storage.ts'
import { live } from '../conformance/support/life.ts'

describe.each(inject('nativeLives'))('with seed $seed', ({ seed, origin, ...native }) => {
  it('the journal is that of the native engine in Node, and so is all that is shown [A1 clock]', async () => {
    const segments = origin.map(([segment, bytes]): [number, Buffer[]] => [segment, [Buffer.from(bytes, 'base64')]])
    const chromium = await live('wasm', new InjectedStorage(segments), seed)
    expect(chromium.appends).toStrictEqual(native.appends)
    expect(native.appends.length).toBeGreaterThan(500)
    // What is absent is absent in JSON.
    for (const part of ['objects', 'ends', 'events'] as const) {
      expect(JSON.parse(JSON.stringify(chromium[part])), part).toStrictEqual(native[part])
    }
  }, 60_000)
})
