/** Answers that are given again and again, though a `Response` can be read once only. */

interface Read {
  readonly bytes: ArrayBuffer | null
}

export class Repeatable {
  /** What was read of each, for as long as whoever made it keeps it. */
  readonly #read = new WeakMap<Response, Promise<Read>>()

  /** One that nobody has read. Rejects if its body was read elsewhere. */
  async copyOf(response: Response): Promise<Response> {
    let read = this.#read.get(response)
    if (read === undefined) this.#read.set(response, (read = readWhole(response)))
    const { bytes } = await read
    return new Response(bytes, response)
  }
}

/** Statuses without content may have no body, not even an empty one. */
async function readWhole(response: Response): Promise<Read> {
  return { bytes: response.body === null ? null : await response.arrayBuffer() }
}
