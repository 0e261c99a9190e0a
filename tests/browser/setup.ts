/**
 * What the cases take from Node and a browser lacks: turns of the event loop, bytes that compare. The package is loaded
 * before, so that it finds the browser as it is.
 */
import { ready } from 'ackbox'
import { Buffer } from 'buffer/'

const turns = new MessageChannel()
const waiting = new Map<number, () => void>()
let last = 0
turns.port1.onmessage = ({ data }) => {
  const fn = waiting.get(data)
  waiting.delete(data)
  fn?.()
}

/** One turn each: everything that is ready then has run before the next. */
function setImmediate(fn: (...given: unknown[]) => void, ...given: unknown[]): number {
  waiting.set(++last, () => fn(...given))
  turns.port2.postMessage(last)
  return last
}

function clearImmediate(turn: number): void {
  waiting.delete(turn)
}

Object.assign(globalThis, { Buffer, setImmediate, clearImmediate })

// What needs no box needs the engine all the same; in a browser somebody has to wait for it once.
await ready()
