// Loaded before a snippet: writes each `console.log` with the line of the program that called it to the file that the
// environment names.
import { appendFileSync } from 'node:fs'
import { format } from 'node:util'

const { log } = console
console.log = (...words) => {
  const [, , caller] = new Error().stack.split('\n')
  const [, line] = /:(\d+):\d+\)?$/.exec(caller)
  appendFileSync(process.env['ACKBOX_PRINTS'], `${JSON.stringify({ line: Number(line), text: format(...words) })}\n`)
  log(...words)
}
