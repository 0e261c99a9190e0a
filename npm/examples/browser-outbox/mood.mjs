// A service that can be told to misbehave, in the ways in which services do.

/** What it can be in, by name. */
export const MOODS = ['well', 'down', 'forgetful', 'strict']

/** Stands in front of a receiver, and counts who asks. */
export class Mood {
  name = 'well'
  requests = 0

  #receive
  /** By the key of the order. */
  #requestsFor = new Map()

  constructor(receive) {
    this.#receive = receive
  }

  /** False if there is no such mood. */
  set(name) {
    if (!MOODS.includes(name)) return false
    this.name = name
    return true
  }

  requestsFor(id) {
    return this.#requestsFor.get(id) ?? 0
  }

  receive = async (request) => {
    const id = request.headers.get('idempotency-key')?.slice(1, -1)
    const count = this.requestsFor(id) + 1
    this.requests++
    this.#requestsFor.set(id, count)
    switch (this.name) {
      case 'down':
        return new Response('the database is away', { status: 503 })
      case 'strict':
        return new Response('we do not deliver to this address', { status: 422 })
      case 'forgetful': {
        const answer = await this.#receive(request)
        if (count === 1) throw new Error('the order is taken, and the answer to it is lost')
        return answer
      }
      default:
        return this.#receive(request)
    }
  }
}
