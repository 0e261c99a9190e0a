/**
 * Which requests may outlive their page (`keepalive` of `fetch`). Browsers let only 64 KiB of bodies do so at once, all
 * requests of a page together, and fail what is beyond: so a request asks for a share before it is sent.
 */

/** Half of what a page has; the rest is for the page itself. */
const BYTES_MAX = 32 << 10
/** Headers count in some browsers, and so does each request. */
const BYTES_PER_REQUEST = 512

let bytesUnderWay = 0

/** Takes a share for a body of this size: what gives it back, or `undefined` if there is none. */
export function takeKeepalive(bodyBytes: number): (() => void) | undefined {
  const bytes = bodyBytes + BYTES_PER_REQUEST
  if (bytesUnderWay + bytes > BYTES_MAX) return undefined
  bytesUnderWay += bytes
  return () => {
    bytesUnderWay -= bytes
  }
}
