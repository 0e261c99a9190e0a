// The command line.

import { parseArgs } from 'node:util'

const USAGE = `usage: node main.mjs [--seed N] [--orders 2000] [--kills 5]

  --seed N      the chances of this run; drawn and printed when absent
  --orders N    how many orders the shop sends, 1 to 100000
  --kills N     how often the order service is killed with SIGKILL, 0 to 100`

/** `{ seed, orders, kills }`; prints the usage and leaves on anything else. */
export function readArgs(argv) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        seed: { type: 'string' },
        orders: { type: 'string', default: '2000' },
        kills: { type: 'string', default: '5' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) leave(0, USAGE)
    return {
      seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : whole('seed', values.seed, 0, 2 ** 32 - 1),
      orders: whole('orders', values.orders, 1, 100_000),
      kills: whole('kills', values.kills, 0, 100),
    }
  } catch (error) {
    leave(2, `${error.message}\n\n${USAGE}`)
  }
}

function whole(name, text, min, max) {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new RangeError(`--${name} wants a whole number from ${min} to ${max}, got '${text}'`)
}

function leave(code, text) {
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`)
  process.exit(code)
}
