/** The tier of kills and pauses is worth something: over a storage that lies it finds what was lost. */
import { fileURLToPath } from 'node:url'

import { expect, it } from 'vitest'

import { run } from '../support/commands.ts'

const TIER = fileURLToPath(new URL('nemesis/main.mjs', import.meta.url))

it('a world over a storage that says of appends that they are durable before they are is found out', async () => {
  const spoiled = { ACKBOX_LENGTH: 'brief', ACKBOX_SEED: '1', ACKBOX_CRASH_STORAGE: 'lying' }
  const { code, stdout } = await run(process.execPath, [TIER], process.cwd(), spoiled)
  expect(code).toBe(1)
  expect(stdout).toMatch(/^ {2}(lost|came back after its end|recorded step '\w+' ran again): /m)
  expect(stdout).toContain('test result: FAILED. 0 passed; 1 failed')
})
