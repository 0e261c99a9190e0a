/** Stands for `ackbox/file`, which browsers do not have: a case that needs it fails. */
export function fileStorage(): never {
  throw new Error('a browser has no ackbox/file')
}
