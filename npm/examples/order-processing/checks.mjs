// What must be true in the end, order by order. Plain data in, what is wrong out: no check trusts
// the service or the box, and each can fail.

/**
 * All that is wrong, as `[name, ids of orders]`; a list of ids is empty where nothing is.
 *
 * - `orders`: what the shop sent, by id; `receipts`: ids that it has a receipt for
 * - `journal`: ids that are `completed`, `unfinished`, `missing`; `dead` letters with `id` and `reason`
 * - `books`: `charges` and `shipments` that were really made, one entry each; `lateCalls` for a step
 *   of an order of which a later step had been called; `refusals`: ids of orders that were ever
 *   refused, or failed, or got no answer; `answeredInLife`, `answeredBeforeKill`: calls with a key whose answer
 *   the service had, in the same life or in one that was killed
 * - `excuses`: how many of the latter the kills explain
 */
export function findWrongs({ orders, receipts, journal, books, excuses }) {
  const charged = countByOrder(books.charges)
  const shipped = countByOrder(books.shipments)
  const orderOf = ({ order }) => orders.get(order)
  const isValid = (order) => order?.quantity >= 1 && order.cents >= 1
  const hasCause = (id, reason) => reason === 'owner-died' || books.refusals.has(id) || !isValid(orders.get(id))
  const done = (id) => charged.has(id) && shipped.has(id)

  return [
    ['never accepted', [...orders.keys()].filter((id) => !receipts.has(id))],
    ['lost', [...journal.missing, ...journal.unfinished, ...journal.completed.filter((id) => !done(id))]],
    ['dead though nobody refused it', journal.dead.filter(({ id, reason }) => !hasCause(id, reason)).map(({ id }) => id)],
    ['charged twice', repeated(charged)],
    ['charged a wrong amount', idsOf(books.charges.filter((charge) => orderOf(charge)?.cents !== charge.cents))],
    ['shipped twice', repeated(shipped)],
    ['shipped something else', idsOf(books.shipments.filter((shipment) => !isAsOrdered(shipment, orderOf(shipment))))],
    ['a step called again after its record', idsOf([...books.lateCalls, ...books.answeredInLife])],
    ['more steps called again than kills explain', idsOf(books.answeredBeforeKill.slice(excuses))],
    ['shipped without payment', [...shipped.keys()].filter((id) => !charged.has(id))],
  ]
}

/** Dead letters whose money was taken and whose goods never left: undoing a step is left to a person. */
export function findRefunds({ journal, books }) {
  const charged = countByOrder(books.charges)
  const shipped = countByOrder(books.shipments)
  return journal.dead.map(({ id }) => id).filter((id) => charged.has(id) && !shipped.has(id))
}

function isAsOrdered(shipment, order) {
  return order !== undefined && order.quantity >= 1 && shipment.sku === order.sku && shipment.quantity === order.quantity
}

function countByOrder(entries) {
  const counts = new Map()
  for (const { order } of entries) counts.set(order, (counts.get(order) ?? 0) + 1)
  return counts
}

function repeated(counts) {
  return [...counts].filter(([, count]) => count > 1).map(([id]) => id)
}

function idsOf(entries) {
  return entries.map(({ order }) => order)
}
