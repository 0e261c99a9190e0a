/** Whether the browser promises to keep what it stores. */
import { open } from 'ackbox'
import { indexedDbStorage } from 'ackbox/indexeddb'
import { describe, expect, it, onTestFinished } from 'vitest'

import { turns } from '../conformance/support/clock.ts'
import { deleteDatabase, freshName } from '../conformance/support/indexed-db.ts'

/** What `persist` and `persisted` of the browser are until the test ends. */
function standIn(methods: Pick<StorageManager, 'persist' | 'persisted'>): void {
  const { persist, persisted } = StorageManager.prototype
  onTestFinished(() => void Object.assign(StorageManager.prototype, { persist, persisted }))
  Object.assign(StorageManager.prototype, methods)
}

describe('what the browser promises [A8 indexedDbStorage, A1 health]', () => {
  it('is in the health of the box: asked for, or only looked at', async () => {
    const asked: string[] = []
    standIn({
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

  it('may be a question to the user, who takes his time: the box is open, and tells the answer when there is one', async () => {
    let say = (_: boolean): void => {}
    const answer = new Promise<boolean>((resolve) => (say = resolve))
    standIn({ persist: () => answer, persisted: async () => false })
    const name = freshName()
    const box = await open(indexedDbStorage({ name, persist: true }))
    await box.queue('orders').enqueue('tea')
    expect(box.health().storage).not.toHaveProperty('persisted')
    say(true)
    await turns()
    expect(box.health().storage.persisted).toBe(true)
    await box.close()
    await deleteDatabase(name)
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
