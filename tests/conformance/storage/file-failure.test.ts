/**
 * Writes that really fail: a limit to the size of files cuts a write short, and fails the next one. A full disk does
 * the same with another number.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { fileStorage } from 'ackbox/file'
import { describe, expect, test } from 'vitest'

import { temporaryFolder } from '../support/boxes.ts'
import { startLimited } from './support/child.ts'

const FRAME_BYTES = 1000
const BLOCKS = 16
const LIMIT = BLOCKS * 512

describe.each(['power-loss', 'process-crash'] as const)('fileStorage, %s', (durability) => {
  test('a failed write is final, and what was reported is there when it is opened again [A8 fileStorage]', async () => {
    const directory = await temporaryFolder()
    const whole = Math.floor(LIMIT / FRAME_BYTES)
    expect(await startLimited(BLOCKS, 'fill.mjs', [directory, durability]).line()).toEqual({
      frames: whole,
      code: 'ERR_STORAGE_FAILED',
      message: expect.stringMatching(/could not append 1000 bytes to segment 1: EFBIG/),
      errno: 'EFBIG',
      same: true,
    })

    // The write that failed began with a short one: what fitted is on the disk, torn.
    expect(statSync(join(directory, '00000001.ackbox')).size).toBe(LIMIT)
    const storage = fileStorage({ directory, durability })
    expect(await storage.open()).toEqual([{ segment: 1, bytes: LIMIT }])
    await storage.truncate(1, whole * FRAME_BYTES)
    await storage.append(1, new Uint8Array(FRAME_BYTES).fill(whole))
    await storage.close()
    const content = readFileSync(join(directory, '00000001.ackbox'))
    const wanted = Array.from({ length: whole + 1 }, (_, frame) => Buffer.alloc(FRAME_BYTES, frame))
    expect(content.equals(Buffer.concat(wanted))).toBe(true)
  })
})
