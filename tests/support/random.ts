/** Numbers that are drawn at random, and can be drawn again. */
export { seededRandom } from './seeded.mjs'

/** A whole number from `min` to `max`, both included. */
export function between(random: () => number, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1))
}

/** The seed of this run: ACKBOX_SEED, or a fresh one. Log it, so that a failure can be repeated. */
export function seedOfRun(): number {
  return Number(process.env['ACKBOX_SEED'] ?? Date.now() % 2 ** 31)
}
