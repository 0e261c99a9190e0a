// What a box holds when it is opened again: the state of every message that was ever to be enqueued, and each message that
// is delivered until nothing is left.
import { bodyOf, isIntact, queueOf, queuesOf, STEPS } from './life.mjs'

/**
 * Takes stock of a box that was just opened, and empties it.
 *
 * `states`: by id, `'unknown'` if nothing is known of it. `found`: by id, its deliveries `{ attempt, isIntact, ran }` with
 * the steps whose functions ran. `complaints`: what is wrong whatever was told before: a message that can be enqueued
 * twice or not at all, an end that is not kept, a box that does not work on.
 */
export async function takeStock(box, { ids, undecided }) {
  const queues = queuesOf(box)
  const complaints = []
  const states = await statesOf(queues, ids)
  const found = await empty(queues)
  for (const [id, state] of await statesOf(queues, [...found.keys()])) {
    if (state !== 'completed') complaints.push(`handled, but then ${state}: ${id}`)
  }
  const added = await offerAgain(queues, undecided, states, complaints)
  added.push(await offerNew(queues, `afterwards.${ids.length}s`))
  const delivered = await empty(queues)
  for (const id of added) {
    if (delivered.get(id)?.length !== 1) complaints.push(`enqueued now, but found ${delivered.get(id)?.length ?? 0} times: ${id}`)
    delivered.delete(id)
  }
  for (const id of delivered.keys()) complaints.push(`found once more: ${id}`)
  return { states, found, complaints }
}

async function statesOf(queues, ids) {
  const states = new Map()
  for (const id of ids) states.set(id, (await queueOf(queues, id).get(id))?.state ?? 'unknown')
  return states
}

/** Handles everything that is ready, in both queues. */
async function empty(queues) {
  const found = new Map()
  const handler = async (message) => {
    const { id, attempt, body } = message
    const delivery = { attempt, isIntact: isIntact(id, body), ran: [] }
    found.set(id, [...(found.get(id) ?? []), delivery])
    for (const step of STEPS) await message.step(step, () => void delivery.ran.push(step))
  }
  for (const queue of Object.values(queues)) await queue.drain(handler, { concurrency: 4 })
  return found
}

/** Who was told nothing enqueues again: accepted if it is unknown, else a duplicate. Gives the ids that were accepted. */
async function offerAgain(queues, ids, states, complaints) {
  const accepted = []
  for (const id of ids) {
    const { status } = await queueOf(queues, id).enqueue(bodyOf(id), { id })
    if (status !== (states.get(id) === 'unknown' ? 'accepted' : 'duplicate')) {
      complaints.push(`${states.get(id)}, but ${status} when it is enqueued again: ${id}`)
    }
    if (status === 'accepted') accepted.push(id)
  }
  return accepted
}

async function offerNew({ jobs }, id) {
  await jobs.enqueue(bodyOf(id), { id })
  return id
}
