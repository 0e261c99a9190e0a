// Waits for the box and owns it: takes in what producers bring, and consumes all queues, until it is killed or told to end, which
// it does when nothing is left. Usage: owner.mjs <folder> <its doorway> <doorway of the service> <file for what it says>
import { setTimeout as pause } from 'node:timers/promises'

import { AckboxError, constant, open, PermanentError } from 'ackbox'

import { bodyOf, isIntact } from '../programs/drain.mjs'
import { placeAt } from '../programs/place.mjs'
import { resultOf } from '../programs/results.mjs'
import { now, recordTo } from '../programs/say.mjs'
import { answerAt, ask } from './doorway.mjs'
import { LEASE_MS, numberOf, QUEUES, STEPS } from './queues.mjs'

const PATIENCE_MS = 250
/** What waits in a queue at most; producers come back later. */
const DEPTH = 60

const [folder, doorway, service, file] = process.argv.slice(2)
const say = recordTo(file)
let stopping = false
process.stdin.on('end', () => (stopping = true)).resume()

const box = await open(placeAt(folder), { whenLocked: 'wait', lockWaitMs: 3_600_000 })
say(`opened ${box.engine}`)
const queues = Object.fromEntries(Object.keys(QUEUES).map((name) => [name, declare(name)]))
const takers = Array.from({ length: QUEUES.slips.concurrency }, takeSlips)
const server = await answerAt(doorway, async ({ queue, id, group, body }) => {
  return queues[queue].enqueue(body, group === '-' ? { id } : { id, group })
})
process.send?.('open')

await end()

function declare(name) {
  const { guarantee, concurrency } = QUEUES[name]
  // Whoever dies often must not run out of attempts here.
  const queue = box.queue(name, { guarantee, maxAttempts: 1_000_000, backoff: constant(10), maxDepth: DEPTH })
  queue.on('completed', ({ id }) => say(`settled ${name} ${id}`))
  queue.on('dead', ({ id, reason }) => say(`dead ${name} ${id} ${reason}`))
  if (name !== 'slips') queue.process((message) => handle(name, message), { concurrency })
  return queue
}

async function handle(name, message) {
  const { id, token } = message
  begin(name, message, now())
  try {
    const work = { jobs: doJob, orders: doOrder, notes: doJob }[name]
    await work(message)
  } catch (error) {
    say(`failed ${name} ${id} ${token}`)
    throw error
  }
  say(`handled ${name} ${id} ${token}`)
  return resultOf(id)
}

function begin(name, { id, attempt, token, body }, since) {
  say(`started ${name} ${id} ${attempt} ${token} ${isIntact(id, body)} ${since}`)
}

/** Some fail now and then, some for good, all of them somewhere inside. */
async function doJob({ id, attempt }) {
  await pause(numberOf(id) % 5)
  if (numberOf(id) % 37 === 0) throw new PermanentError('as this one does')
  if (numberOf(`${id}/${attempt}`) % 11 === 0) throw new Error('not this time')
}

async function doOrder(message) {
  for (const step of STEPS) await take('orders', message, step)
}

/** One step that calls the service, whatever becomes of it. */
async function take(name, message, step) {
  const about = `${name} ${message.id} ${message.token} ${step}`
  try {
    await message.step(step, async ({ key }) => {
      say(`began ${about} ${key}`)
      const { receipt } = await ask(service, { queue: name, id: message.id, step, key }, PATIENCE_MS)
      return receipt
    })
  } catch (error) {
    say(`unrecorded ${about} ${error.code ?? error.name}`)
    throw error
  }
  say(`recorded ${about}`)
}

/** Takes out by hand, with a lease that lapses while this process is paused. */
async function takeSlips() {
  while (!stopping || (await left(queues.slips)) > 0) {
    const since = now()
    const message = await queues.slips.dequeue({ leaseMs: LEASE_MS })
    if (message === undefined) await pause(5)
    else await settleSlip(message, since)
  }
}

async function settleSlip(message, since) {
  const { id, token } = message
  begin('slips', message, since)
  try {
    await take('slips', message, 'mark')
    await pause(numberOf(`${id}/${token}`) % 20)
    say(`handled slips ${id} ${token}`)
    await message.ack(resultOf(id))
    say(`acked slips ${id} ${token}`)
  } catch (error) {
    if (AckboxError.is(error, 'ERR_LEASE_LOST')) return say(`refused slips ${id} ${token} ${error.code}`)
    // The service did not answer; the lease may be over by now.
    say(`failed slips ${id} ${token}`)
    await message.reject(error).catch((refusal) => {
      if (!AckboxError.is(refusal, 'ERR_LEASE_LOST')) throw refusal
      say(`refused slips ${id} ${token} ${refusal.code}`)
    })
  }
}

async function left(queue) {
  const { ready, scheduled, leased } = await queue.stats()
  return ready + scheduled + leased
}

async function end() {
  while (!stopping) await pause(20)
  await Promise.all(takers)
  for (const queue of Object.values(queues)) while ((await left(queue)) > 0) await pause(10)
  server.closeAllConnections()
  server.close()
  await box.close()
  say('closed')
  process.disconnect?.()
}
