// One life of a box, in which everything happens that a box can be asked to keep: single messages and batches,
// steps, retries, deaths, withdrawals, delays, settlements by hand and transactions.
//
// What it says (see `history.mjs`) is said before it is done, and after it was told.
import { AckboxError, constant, PermanentError } from 'ackbox'

export const STEPS = ['reserve', 'charge']
/** Small, so that a short life begins several segments, and cleans and removes some. */
export const SEGMENT_BYTES = 8 << 10
const LONG_MS = 3_600_000

/** The queue whose messages a worker handles, and the one whose messages are settled by hand. */
export function queuesOf(box) {
  const options = { guarantee: 'exactly-once', maxAttempts: 1_000_000, backoff: constant(0), leaseMs: LONG_MS }
  return { jobs: box.queue('jobs', options), hand: box.queue('hand', options) }
}

/** The queue of a message: its id tells what will happen to it. */
export function queueOf({ jobs, hand }, id) {
  return /[hm]$/.test(id) ? hand : jobs
}

/** The body that belongs to an id. Sizes differ, so that appends do. */
export function bodyOf(id) {
  const sum = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  return { id, text: id.repeat(sum % 4 === 0 ? 200 : 8) }
}

export function isIntact(id, body) {
  return JSON.stringify(body) === JSON.stringify(bodyOf(id))
}

/**
 * Lives for so many rounds, or until the box fails, on several lanes at once. Rejects with what a box may not say.
 * Ids begin with `prefix`.
 */
export async function live(box, say, { prefix, rounds, lanes = 1 }) {
  const life = new Life(box, say)
  const worker = life.work()
  await Promise.all(Array.from({ length: lanes }, (_, lane) => life.lane(`${prefix}.${lane}`, rounds)))
  await worker.close().catch((error) => life.failed(error))
}

class Life {
  #queues
  #box
  #say
  #isOver = false

  constructor(box, say) {
    this.#box = box
    this.#say = say
    this.#queues = queuesOf(box)
  }

  /** The storage failed: nothing more comes of this life. Any other error is one that no user may see. */
  failed(error) {
    if (!AckboxError.is(error, 'ERR_STORAGE_FAILED') && !(this.#isOver && AckboxError.is(error))) throw error
    if (!this.#isOver) this.#say('failed')
    this.#isOver = true
  }

  work() {
    const worker = this.#queues.jobs.process((message) => this.#handle(message), { concurrency: 4 })
    worker.closed.catch(() => {})
    return worker
  }

  async #handle(message) {
    const { id, attempt, body } = message
    this.#say('start', id, attempt)
    if (!isIntact(id, body)) throw new Error(`the body of ${id} is another one`)
    for (const step of STEPS) {
      await message.step(step, () => this.#say('run', id, step))
      this.#say('record', id, step)
    }
    if (id.endsWith('r') && attempt === 1) throw new Error('try again')
    if (id.endsWith('x')) {
      this.#say('spoil', id)
      throw new PermanentError('no retry will help')
    }
    this.#say('handle', id)
    return { of: id }
  }

  async lane(prefix, rounds) {
    for (let round = 1; round <= rounds && !this.#isOver; round += 1) {
      const name = `${prefix}.${round}`
      const handled = ['s', 'r', 'x'].map((kind) => name + kind)
      await Promise.all([
        ...handled.map((id) => this.#offer(id)),
        this.#offer(`${name}h`),
        this.#offer(`${name}m`),
        this.#offer(`${name}d`, { delayMs: LONG_MS }),
        this.#offer(`${name}c`, { delayMs: LONG_MS }),
        this.#offerTwins(`${name}=`, `${name}+`),
      ])
      await Promise.all([this.#withdraw(`${name}c`), this.#settleByHand(), ...handled.map((id) => this.#end(id))])
    }
  }

  /** Does what may fail with the storage; nothing is done in a life that is over. */
  async #try(action) {
    if (this.#isOver) return
    try {
      await action()
    } catch (error) {
      this.failed(error)
    }
  }

  #offer(id, options = {}) {
    return this.#try(async () => {
      this.#say('offer', id)
      const { status } = await queueOf(this.#queues, id).enqueue(bodyOf(id), { id, ...options })
      this.#say(status === 'accepted' ? 'accept' : 'known', id)
    })
  }

  #offerTwins(...ids) {
    return this.#try(async () => {
      for (const id of ids) this.#say('offer', id)
      this.#say('twin', ids[0], ids[1])
      const receipts = await this.#queues.jobs.enqueueMany(ids.map((id) => ({ id, body: bodyOf(id) })))
      for (const { id, status } of receipts) this.#say(status === 'accepted' ? 'accept' : 'known', id)
    })
  }

  #withdraw(id) {
    return this.#try(async () => {
      this.#say('cancel', id)
      if (await this.#queues.jobs.cancel(id)) this.#say('cancelled', id)
    })
  }

  /** Waits for the end of a message that the worker handles. */
  #end(id) {
    return this.#try(async () => {
      const { state } = await this.#queues.jobs.finished(id)
      this.#say(state === 'dead' ? 'die' : 'complete', id)
    })
  }

  /** Acknowledges what is there; a message that ends with an m together with an heir that is enqueued. */
  #settleByHand() {
    return this.#try(async () => {
      const messages = await this.#queues.hand.dequeueMany(8)
      for (const { id, attempt } of messages) this.#say('start', id, attempt)
      await Promise.all(messages.map((message) => (message.id.endsWith('m') ? this.#moveOn(message) : this.#acknowledge(message))))
    })
  }

  #acknowledge(message) {
    return this.#try(async () => {
      this.#say('handle', message.id)
      await message.ack()
      this.#say('complete', message.id)
    })
  }

  #moveOn(message) {
    return this.#try(async () => {
      const heir = `${message.id}s`
      this.#say('offer', heir)
      this.#say('heir', message.id, heir)
      this.#say('handle', message.id)
      await this.#box.transaction((tx) => {
        tx.ack(message)
        tx.enqueue(this.#queues.jobs, bodyOf(heir), { id: heir })
      })
      this.#say('complete', message.id)
      this.#say('accept', heir)
    })
  }
}
