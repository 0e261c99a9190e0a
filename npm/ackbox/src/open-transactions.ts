/** Which transactions whoever runs just now is inside of. */
import { Ambient } from '#ambient'
import type { BoxCore } from './box.js'

/** A transaction whose function runs, and the one around it. */
interface OpenTransaction {
  readonly core: BoxCore
  readonly tx: { readonly isOver: boolean }
  readonly outer: OpenTransaction | undefined
}

const innermost = new Ambient<OpenTransaction>()

/** Whether a transaction of this box is around whoever asks. What a function started may outlive it. */
export function isInside(core: BoxCore): boolean {
  for (let open = innermost.get(); open !== undefined; open = open.outer) {
    if (open.core === core && !open.tx.isOver) return true
  }
  return false
}

/** Calls the function of a transaction. */
export function inside<R>(core: BoxCore, tx: OpenTransaction['tx'], fn: () => R): R {
  return innermost.run({ core, tx, outer: innermost.get() }, fn)
}

/** Calls what belongs to no transaction, whoever is the reason for it. */
export function outside<R>(fn: () => R): R {
  return innermost.run(undefined, fn)
}
