/** The engine of those who have no box. */
import { readFile } from 'node:fs/promises'

import { exponential, ready } from 'ackbox'
import { describe, expect, it } from 'vitest'

import { refusal } from '../support/errors.ts'

const DIST = new URL('../../../npm/ackbox/dist/', import.meta.url)

it('ready loads what is used at once anyway in Node [A7 ready]', async () => {
  expect(exponential({ jitter: 'none' }).delay(3)).toBe(4_000)
  expect(await ready()).toBeUndefined()
  expect(await ready({ engine: 'auto' })).toBeUndefined()
  await refusal(ready({ engine: 'fast' as never }), 'ERR_INVALID_OPTION', /engine/)
  await refusal(ready({ motor: 1 } as never), 'ERR_INVALID_OPTION', /'motor'/)
})

describe('where compiling takes time, as in browsers', () => {
  it('an engine is refused until one was loaded, and then it is that one', async () => {
    const { loadEngine, loadEngineNow } = (await import(new URL('engine/load-web.js', DIST).href)) as {
      loadEngine(options: object): Promise<unknown>
      loadEngineNow(): unknown
    }
    await refusal(() => loadEngineNow(), 'ERR_ENGINE', /await ready\(\)/)
    const loaded = await loadEngine({ wasm: await readFile(new URL('wasm/ackbox_bg.wasm', DIST)) })
    expect(loadEngineNow()).toBe(loaded)
  })
})
