// The load that both sides of the comparison carry.

/** Bytes of one encoded order. */
export const ORDER_BYTES = 200

const FRAME = JSON.stringify({ id: 'order-00000000', sku: 'anvil', quantity: 2, cents: 4_995, note: '' }).length
const NOTE = 'x'.repeat(ORDER_BYTES - FRAME)

/** Order `number`, from 0: exactly ORDER_BYTES as JSON. */
export function makeOrder(number) {
  return { id: `order-${String(number).padStart(8, '0')}`, sku: 'anvil', quantity: 2, cents: 4_995, note: NOTE }
}
