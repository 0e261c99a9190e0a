import { memoryStorage, open } from 'ackbox'
import { beforeEach, expect, it, vi } from 'vitest'

import { refusal } from '../support/errors.ts'

beforeEach(() => vi.stubEnv('ACKBOX_ENGINE', undefined))

it('takes the native engine by default where it is there', async () => {
  const box = await open(memoryStorage())
  expect(box.engine).toBe('native')
  await box.close()
})

it.each(['native', 'wasm'] as const)('takes %s when the environment forces it', async (engine) => {
  vi.stubEnv('ACKBOX_ENGINE', engine)
  const box = await open(memoryStorage())
  expect(box.engine).toBe(engine)
  await box.close()
})

it('refuses an engine that does not exist [A1 engine]', async () => {
  await refusal(open(memoryStorage(), { engine: 'jvm' as never }), 'ERR_INVALID_OPTION', /jvm/)
  vi.stubEnv('ACKBOX_ENGINE', 'jvm')
  await refusal(open(memoryStorage()), 'ERR_INVALID_OPTION', /jvm/)
})
