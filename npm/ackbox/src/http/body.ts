/** Reading the body of an answer: to its end, or a little of it. What is not read is given up, so the connection is free. */

/** The part of a `ReadableStream` that is used. */
export interface ByteStream {
  getReader(): ByteReader
}

interface ByteReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  cancel(): Promise<unknown>
}

/** Nobody reads what a server says to a message that it took: more than this is not waited for. */
const SKIPPED_BYTES_MAX = 1 << 20

/** Reads to the end and drops it; rejects if the body is cut off. */
export async function skip(body: ByteStream | null | undefined): Promise<void> {
  let skipped = 0
  await read(body, (chunk) => (skipped += chunk.length) < SKIPPED_BYTES_MAX)
}

/** The first `bytes` as text, or as many as come before `gaveUp` or the body breaks off. Never rejects. */
export async function beginning(body: ByteStream | null | undefined, bytes: number, gaveUp: Promise<never>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let left = bytes
  const take = (chunk: Uint8Array): boolean => {
    // A letter that is cut in two stays away.
    text += decoder.decode(chunk.subarray(0, left), { stream: true })
    left -= Math.min(left, chunk.length)
    return left > 0
  }
  await Promise.race([read(body, take), gaveUp]).catch(() => {})
  return text
}

/** Calls `take` with each chunk, until it wants no more. */
async function read(body: ByteStream | null | undefined, take: (chunk: Uint8Array) => boolean): Promise<void> {
  if (body === null || body === undefined) return
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done || value === undefined) return
    if (take(value)) continue
    reader.cancel().catch(() => {})
    return
  }
}
