/** The storage that fails on demand: transparent without faults, exact with them. */
import { memoryStorage, type Storage } from 'ackbox'
import { faultyStorage, storageSuite } from 'ackbox/testing'
import { describe, expect, test } from 'vitest'

import { refusal } from '../support/errors.ts'

const bytes = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value)

async function left(beneath: Storage): Promise<unknown> {
  const segments = await beneath.open()
  await beneath.close()
  return segments
}

describe('faultyStorage without faults', () => {
  storageSuite({ test, create: () => faultyStorage(memoryStorage()), reopen: (storage) => storage })

  test('promises what the storage beneath promises, or what it is told to', () => {
    expect(faultyStorage(memoryStorage()).durability).toBe('none')
    expect(faultyStorage(memoryStorage(), { durability: 'power-loss' }).durability).toBe('power-loss')
  })
})

describe('faultyStorage [A8 faultyStorage]', () => {
  test('a failed append is final until it is opened again', async () => {
    const beneath = memoryStorage()
    const storage = faultyStorage(beneath, { faults: [{ append: 2, kind: 'fail', errno: 'ENOSPC' }] })
    await storage.open()
    await storage.append(1, bytes(10))
    const error = await refusal(storage.append(1, bytes(10)), 'ERR_STORAGE_FAILED', /append 2 .*ENOSPC/)
    expect(error.cause).toMatchObject({ code: 'ENOSPC' })
    expect(await storage.append(1, bytes(10)).catch((again: unknown) => again)).toBe(error)
    expect(storage.appends).toBe(3)
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 10 }])
    await storage.append(1, bytes(5))
    await storage.close()
    expect(await left(beneath)).toEqual([{ segment: 1, bytes: 15 }])
  })

  test('a clean failure wrote nothing and says so; the next append goes through', async () => {
    const storage = faultyStorage(memoryStorage(), { faults: [{ append: 1, kind: 'clean' }] })
    await storage.open()
    await expect(storage.append(1, bytes(10))).rejects.toMatchObject({ clean: true })
    await storage.append(1, bytes(4))
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 4 }])
  })

  test('a torn append leaves a part of its bytes: half, or as many as planned', async () => {
    const beneath = memoryStorage()
    const storage = faultyStorage(beneath, {
      faults: [
        { append: 2, kind: 'torn' },
        { append: 3, kind: 'torn', keepBytes: 3 },
      ],
    })
    await storage.open()
    await storage.append(1, bytes(10))
    await refusal(storage.append(1, bytes(8)), 'ERR_STORAGE_FAILED')
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 14 }])
    await refusal(storage.append(1, bytes(8)), 'ERR_STORAGE_FAILED')
    await storage.close()
    expect(await left(beneath)).toEqual([{ segment: 1, bytes: 17 }])
  })

  test('a planned crash drops its append and ends everything', async () => {
    const storage = faultyStorage(memoryStorage(), {
      durability: 'power-loss',
      faults: [{ append: 2, kind: 'crash', keepBytes: 1 }],
    })
    await storage.open()
    await storage.append(1, bytes(10))
    await refusal(storage.append(1, bytes(10)), 'ERR_STORAGE_FAILED')
    expect(storage.crashed).toBe(true)
    await refusal(storage.read(1, 0, 1), 'ERR_STORAGE_FAILED')
    await storage.close()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 11 }])
    expect(storage.crashed).toBe(false)
  })

  test('a crash loses nothing that was reported where the promise is power-loss', async () => {
    const storage = faultyStorage(memoryStorage(), { durability: 'power-loss' })
    await storage.open()
    await storage.append(1, bytes(10))
    await storage.append(2, bytes(20))
    await storage.crash()
    expect(await storage.open()).toEqual([
      { segment: 1, bytes: 10 },
      { segment: 2, bytes: 20 },
    ])
  })

  test('a crash loses what is in the youngest segment in weaker modes', async () => {
    const storage = faultyStorage(memoryStorage(), { durability: 'process-crash' })
    await storage.open()
    await storage.append(1, bytes(10))
    await storage.append(1, bytes(10))
    await storage.append(2, bytes(20))
    await storage.crash()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 20 }])
    await storage.append(1, bytes(5))
    await storage.crash()
    expect(await storage.open()).toEqual([{ segment: 1, bytes: 20 }])
  })

  test('refuses a plan for the past, an unknown kind and an unknown option', async () => {
    const storage = faultyStorage(memoryStorage())
    await storage.open()
    await storage.append(1, bytes(1))
    await refusal(() => storage.plan({ append: 1, kind: 'fail' }), 'ERR_INVALID_OPTION', /above 1, got 1/)
    await refusal(() => storage.plan({ append: 2, kind: 'melt' as 'fail' }), 'ERR_INVALID_OPTION', /kind .*'melt'/)
    await refusal(
      () => storage.plan({ append: 2, kind: 'torn', keepByte: 1 } as never),
      'ERR_INVALID_OPTION',
      /did you mean 'keepBytes'/,
    )
  })
})
