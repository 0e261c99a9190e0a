/** What a page does whose origin runs out of room. */
import { open } from 'ackbox'

/** Text that no compression makes small. */
function noise(bytes) {
  let text = ''
  while (text.length < bytes) text += crypto.randomUUID()
  return text.slice(0, bytes)
}

const plain = ({ code, message }) => ({ code, message })

const ended = (promise) => promise.then(({ status }) => status, ({ code }) => code)

/** What comes of a message when the box is opened again. */
async function openAgain() {
  const box = await open('full')
  const outcome = await ended(box.queue('orders').enqueue('small'))
  await box.close()
  return outcome
}

/** Enqueues until that is refused, `most` times at most, then works off what was accepted. Says how far it is. */
async function fill(bytes, most) {
  const box = await open('full', { segmentBytes: 256 << 10 })
  const queue = box.queue('orders')
  let accepted = 0
  let refusal
  while (refusal === undefined && accepted < most) {
    await queue.enqueue(noise(bytes)).then(
      () => accepted++,
      (error) => (refusal = plain(error)),
    )
  }
  console.log(`accepted: ${accepted}`)
  const again = await ended(queue.enqueue('small'))
  const health = box.health()
  let worked = 0
  const drained = await queue.drain(() => console.log(`worked off: ${++worked}, health: ${JSON.stringify(box.health())}`))
  await box.close()
  console.log('closed')
  return { accepted, refusal, again, health, drained, reopened: await openAgain() }
}

/** One message that cannot fit, and one that can. */
async function tooLarge(bytes) {
  const box = await open('full')
  const queue = box.queue('orders', { maxBodyBytes: 2 * bytes })
  const refused = await queue.enqueue(noise(bytes)).then(() => 'accepted', plain)
  const next = await ended(queue.enqueue('small'))
  await box.close()
  return { refused, next, reopened: await openAgain() }
}

Object.assign(globalThis, { fill, tooLarge })
