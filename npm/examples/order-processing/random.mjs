// Seeded chance. A draw depends on its name alone, not on how many were drawn before: so an
// order has the same fate in every run with the same seed, however the processes interleave.

/** `(name) => number` in [0, 1), the same for equal seeds and names. */
export function dice(seed) {
  return (name) => scramble(hash(`${seed}/${name}`)) / 2 ** 32
}

function hash(text) {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state >>> 0
}

// The finalizer of MurmurHash3: close names get unrelated numbers.
function scramble(state) {
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}
