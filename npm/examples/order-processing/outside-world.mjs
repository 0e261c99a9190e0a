// The outside world: warehouse, payment service and shipping company on one small HTTP server.
// They know nothing of the box and keep their own books: one entry for every charge and shipment
// that was really made. The journal is checked against these.
//
// They are as reliable as the real ones: calls fail, hang, ask for patience; some payments are
// refused for good, some banks never answer sensibly, and the nastiest calls take the money and
// lose the answer. A call that repeats an idempotency key gets the first answer again; one that
// brings no key, or a new one, is a new order to charge or ship, whatever was done before.
//
// They also write down which calls came too late: one for an earlier step of an order of which
// they have already seen a later one. A service that keeps its steps never makes such a call.

import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** Shares of all orders whose payment can never succeed. */
const REFUSED = 0.02
const BANK_DOWN = 0.005

/** Share of calls to warehouse and shipping that fail. */
const FAILS = 0.04

/** What becomes of a payment call: the first whose number the draw is below; else it succeeds. */
const PAYMENT_MISHAPS = [
  ['fails', 0.06],
  ['hangs', 0.08],
  ['charges, then hangs', 0.1],
  ['busy', 0.11],
]

const NO_ANSWER = undefined

/** Starts the server; `calls` emits `call` with its number as each comes in. */
export async function startOutsideWorld(draw) {
  const books = {
    charges: [],
    shipments: [],
    chargesAskedAgain: 0,
    shipmentsAskedAgain: 0,
    lateCalls: [],
    answeredInLife: [],
    answeredBeforeKill: [],
    refusals: new Set(),
  }
  const sequence = new Sequence(books.lateCalls)
  const lives = new Lives(books)
  const calls = new EventEmitter()
  let count = 0
  const services = {
    inventory: warehouse(draw),
    payments: paymentService(draw, books),
    shipments: shippingCompany(draw, books),
  }

  const server = createServer(async (request, response) => {
    calls.emit('call', ++count)
    const [, name, sku, id] = request.url.split('/')
    const sent = await text(request).catch(() => undefined)
    if (sent === undefined) return // the caller died while it was speaking
    const body = request.method === 'POST' ? JSON.parse(sent) : { order: id, sku }
    sequence.note(name, body.order)
    lives.note(body.order, request.headers['idempotency-key'])
    response.on('close', () => response.writableFinished || books.refusals.add(body.order)) // the caller hung up
    const answer = await services[name](body, request.headers['idempotency-key'])
    if (answer === NO_ANSWER) return // the caller's time-out ends it
    if (answer.status >= 400 || answer.stock === 0) books.refusals.add(body.order)
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    books,
    calls,
    /** A service begins to live; gives what notes the keys whose answers it has had. */
    startLife: () => lives.start(),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function warehouse(draw) {
  let calls = 0
  return async ({ sku }) => {
    const call = `inventory/${sku}/${++calls}`
    await sleep(4 + 10 * draw(`${call}/latency`))
    const stock = sku === 'unobtainium' ? 0 : 1_000
    return draw(call) < FAILS ? failure(503, 'unavailable') : { ...json(200, { stock }), stock }
  }
}

function paymentService(draw, books) {
  const answers = new Answers()
  const calls = counter()

  return async ({ order, cents }, key) => {
    const call = `payment/${order}/${calls(order)}`
    await sleep(30 + 60 * draw(`${call}/latency`))
    const known = answers.find(key)
    if (known) {
      books.chargesAskedAgain++
      return json(200, known)
    }
    const fate = draw(`card/${order}`)
    if (fate < REFUSED) return failure(402, 'card refused')
    if (fate < REFUSED + BANK_DOWN) return failure(503, 'bank does not answer')

    const chance = draw(call)
    const mishap = PAYMENT_MISHAPS.find(([, below]) => chance < below)?.[0]
    if (mishap === 'fails') return failure(503, 'unavailable')
    if (mishap === 'hangs') return NO_ANSWER
    if (mishap === 'busy') return failure(429, 'busy', { 'retry-after': '1' })

    books.charges.push({ order, cents })
    const answer = answers.keep(key, { charge: `charge-${books.charges.length}` })
    return mishap === 'charges, then hangs' ? NO_ANSWER : json(201, answer)
  }
}

function shippingCompany(draw, books) {
  const answers = new Answers()
  const calls = counter()

  return async ({ order, sku, quantity }, key) => {
    const call = `shipment/${order}/${calls(order)}`
    await sleep(15 + 30 * draw(`${call}/latency`))
    const known = answers.find(key)
    if (known) {
      books.shipmentsAskedAgain++
      return json(200, known)
    }
    if (draw(call) < FAILS) return failure(503, 'unavailable')
    books.shipments.push({ order, sku, quantity })
    return json(201, answers.keep(key, { shipment: `shipment-${books.shipments.length}` }))
  }
}

/** The order of the steps, and how far each order has come. */
class Sequence {
  #steps = ['inventory', 'payments', 'shipments']
  #reached = new Map()
  #late

  constructor(late) {
    this.#late = late
  }

  note(name, order) {
    const step = this.#steps.indexOf(name)
    if (step < (this.#reached.get(order) ?? 0)) this.#late.push({ order, name })
    else this.#reached.set(order, step)
  }
}

/** Which life of the service has had the answer to which key. */
class Lives {
  #books
  #life = 0
  #answered = new Map()

  constructor(books) {
    this.#books = books
  }

  start() {
    const life = ++this.#life
    return (key) => this.#answered.set(key, life)
  }

  note(order, key) {
    const life = this.#answered.get(key)
    if (life === this.#life) this.#books.answeredInLife.push({ order })
    else if (life !== undefined) this.#books.answeredBeforeKill.push({ order })
  }
}

/** What was answered to which idempotency key. */
class Answers {
  #byKey = new Map()

  find(key) {
    return this.#byKey.get(key)
  }

  /** A call without a key can never be told from another one. */
  keep(key, answer) {
    if (key !== undefined) this.#byKey.set(key, answer)
    return answer
  }
}

/** Counts calls by name, from 1. */
function counter() {
  const counts = new Map()
  return (name) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count
  }
}

function json(status, body) {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

function failure(status, reason, headers = {}) {
  return { status, headers: { 'content-type': 'text/plain', ...headers }, body: reason }
}
