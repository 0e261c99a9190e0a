// How the processes of a world talk: one JSON object to and one back, over HTTP on a socket in the file system.
import { rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'

/** Answers what comes through the doorway; takes it from whoever held it before. */
export function answerAt(doorway, answer) {
  rmSync(doorway, { force: true })
  const server = createServer(async (incoming, outgoing) => {
    const sent = await text(incoming).catch(() => undefined)
    // Whoever died while it was speaking has said nothing.
    if (sent === undefined || !incoming.complete) return
    const answered = await answer(JSON.parse(sent)).catch((error) => ({ error: error.code ?? String(error) }))
    outgoing.end(JSON.stringify(answered))
  })
  return new Promise((resolve) => server.listen(doorway, () => resolve(server)))
}

/** Asks through the doorway; rejects when nobody is there, or answers within `patienceMs`: then it may have been heard. */
export function ask(doorway, question, patienceMs) {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patienceMs)
    const outgoing = request({ socketPath: doorway, method: 'POST', signal }, async (incoming) => {
      try {
        resolve(JSON.parse(await text(incoming)))
      } catch (error) {
        reject(error)
      }
    })
    outgoing.once('error', reject).end(JSON.stringify(question))
  })
}
