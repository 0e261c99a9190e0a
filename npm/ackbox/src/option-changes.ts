/** What changed in the options of a queue, in the words of those who named them. */
import { describeBackoff } from './backoff.js'
import type { Backoff as EngineBackoff, OptionChange } from './engine/objects.js'
import { ENDLESS_ATTEMPTS } from './queue-options.js'
import { MAX_MS } from './validate.js'

/** Values that stand for "without limit" in the engine. */
const ENDLESS: readonly unknown[] = [undefined, ENDLESS_ATTEMPTS, Number.MAX_SAFE_INTEGER, MAX_MS]

/** One line for each option with its old and its new value; those that only the engine tells apart are left out. */
export function describeChanges(changes: readonly OptionChange[]): string[] {
  const lines: string[] = []
  for (const { option, from, to } of changes) {
    const [before, now] = [show(option, from), show(option, to)]
    if (before !== now) lines.push(`${option} from ${before} to ${now}`)
  }
  return lines
}

function show(option: string, value: unknown): string {
  if (option === 'deadLetterTo' && value === undefined) return 'none'
  if (ENDLESS.includes(value)) return 'Infinity'
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? `'${value}'` : String(value)
  return describeBackoff(value as EngineBackoff)
}
