// How a program that will be killed tells what it did. A line is in the file when `say` returns, whatever becomes of the
// process; standard output, which the test watches to choose the moment, may hold lines back in memory while nobody
// reads it.
import { openSync, writeSync } from 'node:fs'

/** The time in ns of a clock that all processes of a machine share, and that goes on while they are paused. */
export function now() {
  return Number(process.hrtime.bigint())
}

/** As `sayTo`, for a program that nobody watches: into the file only, with the time. */
export function recordTo(file) {
  const log = openSync(file, 'a')
  return (line) => void writeSync(log, `${now()} ${line}\n`)
}

export function sayTo(file) {
  const log = openSync(file, 'a')
  return (line) => {
    writeSync(log, `${line}\n`)
    process.stdout.write(`${line}\n`)
  }
}
