import { expect, it } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'

it('runs on the engine that ACKBOX_ENGINE names [A1 engine]', async () => {
  const { box } = await makeInMemory()
  expect(process.env.ACKBOX_ENGINE).toMatch(/^(native|wasm)$/)
  expect(box.engine).toBe(process.env.ACKBOX_ENGINE)
})
