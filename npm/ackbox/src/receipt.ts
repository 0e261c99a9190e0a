/** Receipts as the engine gives them. */
import { messageStateNames, type ReceiptView } from './engine/wire.gen.js'
import type { MessageState, Receipt } from './types.js'

/** `stored`: it is on the disk, and nobody has decided yet. */
export function receiptOf(view: ReceiptView & { readonly stored?: true }): Receipt {
  return {
    id: view.id(),
    status: view.stored === true ? 'stored' : view.duplicate ? 'duplicate' : 'accepted',
    state: messageStateNames[view.state] as MessageState,
  }
}
