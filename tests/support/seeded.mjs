// A small generator of pseudo-random numbers.

/**
 * Numbers in [0, 1): the same seed gives the same sequence (mulberry32).
 * @param {number} seed
 * @returns {() => number}
 */
export function seededRandom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * A whole number from `min` to `max`, both included.
 * @param {() => number} random
 * @param {number} min
 * @param {number} max
 * @returns {number}
 */
export function between(random, min, max) {
  return min + Math.floor(random() * (max - min + 1))
}
