/** Objects of a class are known by a symbol of it, since several copies of this package may run in one process. */

/** Whether a value carries the symbol. What cannot be looked at (a proxy that was revoked) does not. */
export function hasBrand(value: unknown, brand: symbol): value is object {
  try {
    return typeof value === 'object' && value !== null && brand in value
  } catch {
    return false
  }
}
