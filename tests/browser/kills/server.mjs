// What stays when tabs are killed: their site, the service that their steps call, and the record of what each of them said.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

import { now } from '../../crash/programs/say.mjs'
import { parseLine } from '../../crash/history/read.mjs'

const DIST = fileURLToPath(new URL('../../../npm/ackbox/dist/', import.meta.url))
const HERE = fileURLToPath(new URL('./', import.meta.url))
const INDEX = '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>'

export class Server {
  /** In the order in which it happened, as `crash/history` reads it. */
  events = []
  #effects = new Map()
  #waiting = new Set()
  #open = new Set()
  #server = createServer((request, answer) => void this.#answer(request, answer))

  /** Gives the origin of the site. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  close() {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** Somebody who is not a tab. */
  say(line, by = 'the killer') {
    this.events.push(parseLine(`${now()} ${line}`, by))
    for (const wake of this.#waiting) wake()
  }

  /** Until so many lines more were said, or, with a kind, one of that kind. */
  async said(count, kind) {
    const until = this.events.length + count
    const since = this.events.length
    const isDone = () => (kind === undefined ? this.events.length >= until : this.events.slice(since).some((event) => event.kind === kind))
    while (!isDone()) {
      await new Promise((resolve) => this.#waiting.add(resolve))
      this.#waiting.clear()
    }
  }

  /** Until nothing that a dead tab has sent is on its way. */
  async quiet() {
    while (this.#open.size > 0) await Promise.race(this.#open)
  }

  /** What was enqueued without a receipt. */
  get unheard() {
    const heard = new Set(this.#of('receipt').map(({ queue, id }) => `${queue}/${id}`))
    return this.invoked.filter(({ queue, id }) => !heard.has(`${queue}/${id}`))
  }

  get invoked() {
    return this.#of('invoked').map(({ queue, id, group }) => ({ queue, id, group }))
  }

  #of(kind) {
    return this.events.filter((event) => event.kind === kind)
  }

  async #answer(request, answer) {
    const gone = new Promise((resolve) => answer.once('close', resolve))
    this.#open.add(gone)
    void gone.then(() => this.#open.delete(gone))
    const { pathname, searchParams } = new URL(request.url, 'http://shop')
    if (request.method === 'POST') {
      const text = await textOf(request).catch(() => undefined)
      // Who was cut off in the middle of a line has not said it.
      if (text === undefined) return void answer.destroy()
      return void answer.end(JSON.stringify(this.#take(pathname, text, searchParams.get('tab'))))
    }
    if (pathname === '/') return void answer.writeHead(200, { 'content-type': 'text/html' }).end(INDEX)
    const file = pathname.startsWith('/ackbox/') ? join(DIST, normalize(pathname.slice(8))) : join(HERE, normalize(pathname))
    const content = await readFile(file).catch(() => undefined)
    if (content === undefined) return void answer.writeHead(404).end()
    answer.writeHead(200, { 'content-type': file.endsWith('.wasm') ? 'application/wasm' : 'text/javascript' }).end(content)
  }

  #take(path, text, tab) {
    if (path === '/say') return void this.say(text, tab) ?? null
    if (path === '/unheard') return this.unheard
    const { queue, id, step, key } = JSON.parse(text)
    const known = this.#effects.get(key)
    this.say(`effect ${queue} ${id} ${step} ${key} ${known === undefined ? 'new' : 'again'}`, 'the service')
    if (known === undefined) this.#effects.set(key, { receipt: this.#effects.size + 1 })
    return this.#effects.get(key)
  }
}

async function textOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  if (!request.complete) throw new Error('cut off')
  return Buffer.concat(parts).toString()
}
