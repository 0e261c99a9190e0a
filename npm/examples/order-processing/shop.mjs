// The shop: writes the orders and sends each until it has a receipt for it. A receipt that was
// lost with a killed service means that the order is sent again, with the same id.

const SKUS = ['anvil', 'bellows', 'compass', 'dynamo', 'easel', 'flute', 'gimlet', 'hammock']
const TICK_MS = 20
/** In how many ticks all orders go out once. */
const TICKS = 700

export class Shop {
  /** All orders by id. */
  orders
  /** Ids of orders with a receipt. */
  confirmed = new Set()
  /** How many were sent more than once, and how many of these the box already had. */
  sentAgain = 0
  duplicates = 0

  #unsent
  #unanswered = new Map()
  #service
  #timer

  constructor({ count, draw }) {
    const list = Array.from({ length: count }, (_, index) => writeOrder(index + 1, draw))
    this.orders = new Map(list.map((order) => [order.id, order]))
    this.#unsent = list
    const perTick = Math.ceil(count / TICKS)
    this.#timer = setInterval(() => this.#unsent.splice(0, this.#service ? perTick : 0).forEach((order) => this.#send(order)), TICK_MS)
  }

  get allConfirmed() {
    return this.confirmed.size === this.orders.size
  }

  /** From now on orders go to this service; those without a receipt first. */
  connect(service) {
    this.#service = service
    for (const order of this.#unanswered.values()) {
      this.sentAgain++
      this.#send(order)
    }
  }

  /** The service is gone, and with it what was on its way. */
  disconnect() {
    this.#service = undefined
  }

  handleReceipt({ id, status }) {
    if (status === 'duplicate') this.duplicates++
    this.#unanswered.delete(id)
    this.confirmed.add(id)
  }

  close() {
    clearInterval(this.#timer)
  }

  #send(order) {
    this.#unanswered.set(order.id, order)
    // An order that cannot be sent any more is sent again to the next service.
    this.#service.send(order, () => {})
  }
}

function writeOrder(number, draw) {
  const id = `order-${String(number).padStart(6, '0')}`
  const chance = draw(`order/${id}`)
  return {
    id,
    sku: chance < 0.01 ? 'unobtainium' : SKUS[Math.floor(draw(`sku/${id}`) * SKUS.length)],
    quantity: chance > 0.99 ? 0 : 1 + Math.floor(draw(`quantity/${id}`) * 3),
    cents: 100 + Math.floor(draw(`cents/${id}`) * 20_000),
  }
}
