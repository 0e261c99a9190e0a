/** The storage in memory keeps the contract. */
import { memoryStorage } from 'ackbox'
import { storageSuite } from 'ackbox/testing'
import { describe, expect, test } from 'vitest'

import { refusal } from '../support/errors.ts'
import { IN_BROWSER } from '../support/platform.ts'

describe('memoryStorage [A8 memoryStorage]', () => {
  storageSuite({ test, create: memoryStorage, reopen: (storage) => storage })

  test('promises nothing beyond the process', () => {
    expect(memoryStorage().durability).toBe('none')
  })

  test('says that this process has it', async () => {
    const storage = memoryStorage()
    await storage.open()
    const error = await refusal(storage.open(), 'ERR_LOCKED', /a box of this process is open on it/)
    expect(error.details).toEqual({ ...(IN_BROWSER ? {} : { pid: process.pid }), since: expect.any(Number), sameProcess: true })
  })

  test('two storages share nothing', async () => {
    const one = memoryStorage()
    const other = memoryStorage()
    await one.open()
    await one.append(1, new Uint8Array(8))
    expect(await other.open()).toEqual([])
  })
})
