// A network between a sender and a service that loses answers and doubles requests: a proxy on the loopback interface.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

/**
 * What befalls a request: nothing; its answer is lost on the way back; the connection is cut once the request is on its
 * way; it arrives twice, one after the other or both at once.
 */
const FATES = ['passed', 'passed', 'passed', 'answer-lost', 'cut', 'twice', 'twice-at-once']

/**
 * Draws fates from `random`, none again before all the others; `port` is where the service is at the moment. It is found at
 * `url`, and where a server calls `listener`.
 */
export async function badNetwork(random) {
  /** How often each befell, and how often each status was answered. */
  const seen = {}
  const note = (what) => (seen[what] = (seen[what] ?? 0) + 1)
  const network = { port: 0, seen, url: '', listener, close: () => {} }
  let bag = []
  const draw = () => {
    if (bag.length === 0) bag = [...FATES]
    return bag.splice(Math.floor(random() * bag.length), 1)[0]
  }
  async function listener(incoming, outgoing) {
    const fate = draw()
    const cut = () => incoming.socket.resetAndDestroy()
    outgoing.on('error', () => {})
    try {
      const body = await buffer(incoming)
      const forward = async () => {
        const answer = await forwarded(network.port, incoming, body, fate === 'cut' ? cut : () => {})
        note(answer.status)
        return answer
      }
      if (fate === 'twice') await forward()
      const answers = await Promise.all(fate === 'twice-at-once' ? [forward(), forward()] : [forward()])
      note(fate)
      if (fate === 'cut') return
      if (fate === 'answer-lost') return cut()
      const { status, headers, bytes } = answers.at(-1)
      outgoing.writeHead(status, headers).end(bytes)
    } catch {
      // The service has died, or the sender.
      note('broken')
      cut()
    }
  }
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  network.url = `http://127.0.0.1:${server.address().port}/orders`
  network.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return network
}

function forwarded(port, { method, url, headers }, body, sent) {
  return new Promise((resolve, reject) => {
    const onward = request({ port, host: '127.0.0.1', method, path: url, headers, agent: false }, async (answer) => {
      try {
        resolve({ status: answer.statusCode, headers: answer.headers, bytes: await buffer(answer) })
      } catch (error) {
        reject(error)
      }
    })
    onward.once('error', reject).end(body, sent)
  })
}
