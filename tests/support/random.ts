/** Numbers that are drawn at random, and can be drawn again. */
export { between, seededRandom } from './seeded.mjs'

/** The seed of this run: ACKBOX_SEED, or a fresh one. Log it, so that a failure can be repeated. */
export function seedOfRun(): number {
  return Number(process.env['ACKBOX_SEED'] ?? Date.now() % 2 ** 31)
}
