// A tab of the shop: enqueues and handles until it is killed. What it does is told to the server before it goes on, as
// `crash/history` wants it; the tab that opens the box next carries on.
import { constant, memoryStorage, open, PermanentError } from '/ackbox/web/ackbox.js'

import { bodyOf, isIntact, LANES, numberOf, QUEUES, resultOf, STEPS } from '/world.mjs'

const asked = new URLSearchParams(location.search)
const tab = asked.get('tab')
let stopping = false

const post = async (path, content) => (await fetch(path, { method: 'POST', body: content })).json()
const say = (line) => post(`/say?tab=${tab}`, line)
/** One behind the other, for what cannot be waited for. */
let saying = Promise.resolve()
const sayBehind = (line) => void (saying = saying.then(() => say(line)))

// One that forgets, for a judge who is to find that out.
const place = asked.has('forgetful') ? memoryStorage() : 'shop'
const box = await open(place, { whenLocked: 'wait', lockWaitMs: 60_000 })
await say(`opened ${box.engine}`)
const queues = Object.fromEntries(Object.keys(QUEUES).map((name) => [name, declare(name)]))
const producing = produceAll()

Object.assign(globalThis, { finish, tell })

function declare(name) {
  const { guarantee, concurrency } = QUEUES[name]
  const queue = box.queue(name, { guarantee, maxAttempts: 1_000, backoff: constant(10), maxDepth: 40 })
  queue.on('completed', ({ id }) => sayBehind(`settled ${name} ${id}`))
  queue.on('dead', ({ id, reason }) => sayBehind(`dead ${name} ${id} ${reason}`))
  queue.process((message) => handle(name, message), { concurrency })
  return queue
}

async function handle(name, message) {
  const { id, token, attempt, body } = message
  await say(`started ${name} ${id} ${attempt} ${token} ${isIntact(id, body)} 0`)
  try {
    if (name === 'orders') for (const step of STEPS) await take(name, message, step)
    else if (numberOf(id) % 37 === 0) throw new PermanentError('as this one does')
    else if (numberOf(`${id}/${attempt}`) % 11 === 0) throw new Error('not this time')
  } catch (error) {
    await say(`failed ${name} ${id} ${token}`)
    throw error
  }
  await say(`handled ${name} ${id} ${token}`)
  return resultOf(id)
}

/** One step that calls the service. */
async function take(name, message, what) {
  const { id, token } = message
  const about = `${name} ${id} ${token} ${what}`
  await message.step(what, async ({ key }) => {
    await say(`began ${about} ${key}`)
    return post('/effect', JSON.stringify({ queue: name, id, step: what, key }))
  })
  await say(`recorded ${about}`)
}

/** First what tabs before were not told of, then more. */
async function produceAll() {
  const unheard = await post('/unheard', tab)
  await Promise.all(unheard.map(({ queue, id, group }) => enqueue(queue, id, group)))
  await Promise.all(LANES.map(([queue, group], lane) => produce(queue, group, lane)))
}

async function produce(queue, group, lane) {
  for (let number = 1; !stopping; number += 1) {
    const id = `${tab}.${lane}.${number}`
    await say(`invoked ${queue} ${id} ${group}`)
    await enqueue(queue, id, group)
  }
}

/** Again and again while the queue is full, which is soon. */
async function enqueue(queue, id, group) {
  for (;;) {
    try {
      const { status } = await queues[queue].enqueue(bodyOf(id), group === '-' ? { id } : { id, group })
      return await say(`receipt ${queue} ${id} ${status}`)
    } catch (error) {
      if (error.code !== 'ERR_QUEUE_FULL') throw error
      await queues[queue].idle({ signal: AbortSignal.timeout(20) }).catch(() => {})
    }
  }
}

/** Enqueues nothing more, and handles what is there. */
async function finish() {
  stopping = true
  await producing
  for (const queue of Object.values(queues)) {
    for (;;) {
      const { ready, scheduled, leased } = await queue.stats()
      if (ready + scheduled + leased === 0) break
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  await saying
}

/** Tells what the box knows of these messages. */
async function tell(ids) {
  for (const [queue, id] of ids) {
    const { state = 'unknown', result } = (await queues[queue].get(id)) ?? {}
    await say(`found ${queue} ${id} ${state} ${JSON.stringify(result) === JSON.stringify(resultOf(id))}`)
  }
  await box.close()
  await say('closed')
}
