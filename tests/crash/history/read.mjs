// What the processes of a world wrote down, as one history in the order of time.
//
// Each process has a file of its own and writes a line before it goes on: `<time> <kind> <words>`, the time in ns of a clock that
// all processes of a machine share and that no pause stops. A line that was cut off by a kill was never finished, so
// nothing can depend on it.
import { existsSync, readFileSync } from 'node:fs'

/** The words behind each kind, in order. What is listed as a number becomes one. */
const WORDS = {
  // A producer is about to enqueue, and what it was told.
  invoked: ['queue', 'id', 'group'],
  receipt: ['queue', 'id', 'status'],
  // An owner: of the box, then of one delivery.
  opened: ['engine'],
  closed: [],
  // `since`: when the delivery was asked for, its lease cannot be older.
  started: ['queue', 'id', 'attempt', 'token', 'intact', 'since'],
  handled: ['queue', 'id', 'token'],
  failed: ['queue', 'id', 'token'],
  acked: ['queue', 'id', 'token'],
  refused: ['queue', 'id', 'token', 'code'],
  settled: ['queue', 'id'],
  dead: ['queue', 'id', 'reason'],
  // A step of a delivery: its function runs, its result is durable, or it was not recorded.
  began: ['queue', 'id', 'token', 'step', 'key'],
  recorded: ['queue', 'id', 'token', 'step'],
  unrecorded: ['queue', 'id', 'token', 'step', 'code'],
  // The service that effects go to.
  effect: ['queue', 'id', 'step', 'key', 'seen'],
  // Whoever kills and pauses; `died` when a process is gone, whatever ended it.
  killed: ['target'],
  died: ['target', 'signal'],
  paused: ['target'],
  resumed: ['target'],
  // What the box says of a message when all is over.
  found: ['queue', 'id', 'state', 'intact'],
}
const NUMBERS = new Set(['attempt', 'token', 'since'])

/**
 * @param {string} line
 * @param {string} by who wrote it
 */
export function parseLine(line, by) {
  const [at, kind, ...words] = line.split(' ')
  const names = WORDS[kind]
  if (names === undefined || words.length !== names.length) throw new Error(`${by} wrote a line that no rule knows: '${line}'`)
  const event = { at: Number(at), by, kind }
  for (const [index, name] of names.entries()) event[name] = NUMBERS.has(name) ? Number(words[index]) : words[index]
  return event
}

/** Reads the files of all processes: `[name, file]` each. */
export function readHistory(files) {
  const events = files.flatMap(([by, file]) => linesOf(file).map((line) => parseLine(line, by)))
  // Lines of one process that were written in the same ns stay in their order.
  return events.sort((a, b) => a.at - b.at)
}

function linesOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}
