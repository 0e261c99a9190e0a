// How a program that will be killed tells what it did. A line is in the file when `say` returns, whatever becomes of the
// process; standard output, which the test watches to choose the moment, may hold lines back in memory while nobody
// reads it.
import { openSync, writeSync } from 'node:fs'

export function sayTo(file) {
  const log = openSync(file, 'a')
  return (line) => {
    writeSync(log, `${line}\n`)
    process.stdout.write(`${line}\n`)
  }
}
