/** Receipts as the engine gives them. */
import { messageStateNames, type ReceiptView } from './engine/wire.gen.js'
import type { MessageState, Receipt } from './types.js'

export function receiptOf(view: ReceiptView): Receipt {
  return {
    id: view.id(),
    status: view.duplicate ? 'duplicate' : 'accepted',
    state: messageStateNames[view.state] as MessageState,
  }
}
