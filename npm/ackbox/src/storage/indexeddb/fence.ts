/**
 * The fence between owners: each transaction of an owner first writes a row under the number of its epoch and takes it away
 * again, which fails, and undoes the transaction, if the row is there. The next owner puts it there as it claims the journal.
 *
 * So nothing has to be read before it is decided whether to write: a transaction is handed to the browser as a whole and
 * committed at once. One that waits for its tab would hold up all others for a minute while that tab is frozen.
 */

import type { Owner, OwnerRow } from './database.js'

/** An owner that slept through so many others is not stopped by its fence any more. */
const FENCES = 10_000

/** Undoes the transaction if somebody else has claimed the journal since this epoch; `fenced` is what it then rejects with. */
export async function passFence(owner: Pick<Owner, 'add' | 'delete'>, self: OwnerRow, fenced: () => Error): Promise<void> {
  try {
    await Promise.all([owner.add(self, self.epoch), owner.delete(self.epoch)])
  } catch (error) {
    throw (error as { name?: unknown } | null)?.name === 'ConstraintError' ? fenced() : error
  }
}

/** Raises the fence against the owner before `self`; those before that one have theirs. */
export async function raiseFence(owner: Owner<'readwrite'>, self: OwnerRow): Promise<void> {
  const last = self.epoch - 1
  await Promise.all([owner.put(self, last), owner.delete(IDBKeyRange.upperBound(last - FENCES))])
}
