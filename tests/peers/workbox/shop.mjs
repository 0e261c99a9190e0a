// What stays when the browser goes: the site, the service that takes orders, and what both heard of.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

const PAGE = '<!doctype html><title>shop</title><script type="module" src="/page.js"></script>'
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

export class Shop {
  /** As of lives: `accepted <id>`, `handled <id>`, `failed <id>`. */
  lines = []
  /** How the service answers: `up`, `failing` (with 500), `unreachable`. */
  service = 'unreachable'
  #files
  #server = createServer((request, answer) => void this.#answer(request, answer))

  /** Gives the origin of the site. */
  async listen() {
    const { outputFiles } = await build({
      entryPoints: [here('worker.js')],
      define: { 'process.env.NODE_ENV': '"production"' },
      ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    })
    this.#files = {
      '/': { type: 'text/html', content: PAGE },
      '/page.js': { type: 'text/javascript', content: await readFile(here('page.js')) },
      '/worker.js': { type: 'text/javascript', content: outputFiles[0].contents },
    }
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  close() {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #answer(request, answer) {
    if (request.method === 'GET') {
      const { type, content } = this.#files[request.url] ?? {}
      if (content === undefined) return void answer.writeHead(404).end()
      return void answer.writeHead(200, { 'content-type': type }).end(content)
    }
    const text = await textOf(request).catch(() => undefined)
    // Who was cut off in the middle has said nothing.
    if (text === undefined) return void answer.destroy()
    if (request.url === '/said') {
      this.lines.push(text)
      return void answer.end()
    }
    await this.#take(request.url.split('/').at(-1), answer)
  }

  /** An order that has come whole is taken, whether or not somebody is still there to hear of it. */
  async #take(id, answer) {
    if (this.service === 'unreachable') return void answer.destroy()
    await pause(1 + (id.length % 4))
    const isUp = this.service === 'up'
    this.lines.push(`${isUp ? 'handled' : 'failed'} ${id}`)
    answer.writeHead(isUp ? 201 : 500).end()
  }
}

async function textOf(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  if (!request.complete) throw new Error('cut off')
  return Buffer.concat(parts).toString()
}
