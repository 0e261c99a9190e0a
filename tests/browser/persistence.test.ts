/** Whether the browser promises to keep what it stores. */
import { open } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { describe, expect, it, onTestFinished } from 'vitest'

import { deleteDatabase, freshName } from '../conformance/support/indexed-db.ts'

describe('what the browser promises [A8 indexedDbStorage, A1 health]', () => {
  it('is in the health of the box: asked for, or only looked at', async () => {
    const { persist, persisted } = StorageManager.prototype
    onTestFinished(() => void Object.assign(StorageManager.prototype, { persist, persisted }))
    const asked: string[] = []
    Object.assign(StorageManager.prototype, {
      persist: async () => (asked.push('persist'), true),
      persisted: async () => (asked.push('persisted'), false),
    })
    for (const ask of [false, true]) {
      const name = freshName()
      const box = await open(indexedDbStorage({ name, persist: ask }))
      expect(box.health().storage.persisted).toBe(ask)
      await box.close()
      await deleteDatabase(name)
    }
    expect(asked).toEqual(['persisted', 'persist'])
  })

  it('is what it really says', async () => {
    const name = freshName()
    const box = await open(indexedDbStorage({ name }))
    onTestFinished(async () => {
      await box.close()
      await deleteDatabase(name)
    })
    expect(box.health().storage.persisted).toBe(await navigator.storage.persisted())
  })
})
