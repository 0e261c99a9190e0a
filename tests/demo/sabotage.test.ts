/**
 * The demo as it is succeeds; with one line of it spoiled it fails and says what is wrong. So its verdict depends on
 * what the service does, not on how kind the outside world is.
 */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type Finished, run } from '../support/commands.ts'

const EXAMPLE = fileURLToPath(new URL('../../npm/examples/order-processing', import.meta.url))
const PACKAGE = fileURLToPath(new URL('../node_modules/ackbox', import.meta.url))
/** With this seed the bank takes money and loses the answer, in few orders. */
const SEED = '5'

/** One line of one file, and what stands there instead. */
interface Spoiling {
  readonly file: string
  readonly line: string
  readonly instead: string
}

let project: string
let runs = 0

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'ackbox-sabotage-'))
  await mkdir(join(project, 'node_modules'))
  await symlink(PACKAGE, join(project, 'node_modules', 'ackbox'))
})

afterAll(() => rm(project, { recursive: true, force: true }))

/** Runs a copy of the demo; its journals stay in the copy. */
async function demo(options: readonly string[], spoiling?: Spoiling): Promise<Finished> {
  const copy = join(project, `run-${(runs += 1)}`)
  await cp(EXAMPLE, copy, { recursive: true })
  if (spoiling !== undefined) {
    const file = join(copy, spoiling.file)
    const source = await readFile(file, 'utf8')
    expect(source.split(spoiling.line), `${spoiling.file} holds the line once`).toHaveLength(2)
    await writeFile(file, source.replace(spoiling.line, spoiling.instead))
  }
  return run(process.execPath, ['main.mjs', '--seed', SEED, ...options], copy, { TMPDIR: copy })
}

/** How many orders the demo found wrong, by name. */
function verdictsOf({ stdout }: Finished): Record<string, number> {
  const verdicts: Record<string, number> = {}
  const table = stdout.slice(stdout.indexOf('Checked order by order'))
  for (const [, name, count] of table.matchAll(/^ {2}(\S.*?) +(\d+) {2}(?:ok|WRONG: .*)$/gm)) verdicts[name!] = Number(count)
  return verdicts
}

describe.concurrent('the demo', () => {
  it('succeeds, and kills as often as it is told to though there is little to do', async () => {
    const finished = await demo(['--orders', '5', '--kills', '12'])
    expect(finished).toMatchObject({ code: 0, stderr: '' })
    expect(finished.stdout.match(/^SIGKILL \d+ /gm)).toEqual(Array.from({ length: 12 }, (_, kill) => `SIGKILL ${kill + 1} `))
    expect(finished.stdout).toMatch(/^Killed 12 times/m)
    expect(Object.values(verdictsOf(finished))).toEqual(Array.from({ length: 10 }, () => 0))
  })

  it('fails when it killed less often than it was told to', async () => {
    const spoiling = { file: 'keeper.mjs', line: ' && this.#whenDone()', instead: '' }
    const { code, stdout } = await demo(['--orders', '3', '--kills', '60'], spoiling)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^FAILED: killed \d+ times instead of 60/m)
  })

  const SERVICE = 'service.mjs'
  it.each<[string, string, Spoiling, readonly string[]]>([
    [
      'charges without an idempotency key',
      'charged twice',
      { file: SERVICE, line: ", 'idempotency-key': key", instead: '' },
      ['--orders', '100', '--kills', '1'],
    ],
    [
      'takes a new idempotency key for each attempt',
      'charged twice',
      { file: SERVICE, line: "'idempotency-key': key", instead: "'idempotency-key': crypto.randomUUID()" },
      ['--orders', '100', '--kills', '1'],
    ],
    [
      'charges outside of a step',
      'a step called again after its record',
      {
        file: SERVICE,
        line: "await message.step('charge', ({ key }) => takePayment(order, key))",
        instead: "await takePayment(order, message.key('charge'))",
      },
      ['--orders', '100', '--kills', '1'],
    ],
    [
      'ships outside of a step and fails behind it',
      'a step called again after its record',
      {
        file: SERVICE,
        line: "const shipment = await message.step('ship', ({ key }) => ship(order, key))",
        instead: "const shipment = await ship(order, message.key('ship')); if (message.attempt === 1) throw new Error('late')",
      },
      ['--orders', '10', '--kills', '0'],
    ],
    [
      'acknowledges without doing anything',
      'lost',
      { file: SERVICE, line: '  validate(order)\n', instead: "  if (order.id.endsWith('7')) return\n" },
      ['--orders', '20', '--kills', '0'],
    ],
    [
      'confirms what it did not enqueue',
      'lost',
      {
        file: SERVICE,
        line: 'await orders.enqueue(order)',
        instead: "order.id.endsWith('7') ? order : await orders.enqueue(order)",
      },
      ['--orders', '20', '--kills', '0'],
    ],
    [
      'keeps its queue in memory',
      'lost',
      { file: SERVICE, line: 'open(journal)', instead: "open((await import('ackbox')).memoryStorage())" },
      ['--orders', '40', '--kills', '1'],
    ],
    [
      'charges too much',
      'charged a wrong amount',
      { file: SERVICE, line: 'cents: order.cents }', instead: 'cents: order.cents + 1 }' },
      ['--orders', '10', '--kills', '0'],
    ],
    [
      'ships although the payment failed',
      'shipped without payment',
      { file: SERVICE, line: '=> takePayment(order, key)', instead: '=> takePayment(order, key).catch(() => undefined)' },
      ['--orders', '60', '--kills', '0'],
    ],
    [
      'cannot do anything',
      'dead though nobody refused it',
      { file: SERVICE, line: '=> checkInventory(order)', instead: '=> notThere(order)' },
      ['--orders', '5', '--kills', '0'],
    ],
    [
      'ships too much',
      'shipped something else',
      { file: SERVICE, line: 'order: id, sku, quantity }', instead: 'order: id, sku, quantity: quantity + 1 }' },
      ['--orders', '10', '--kills', '0'],
    ],
  ])('finds a service that %s: %s', async (_, wrong, spoiling, options) => {
    const finished = await demo(options, spoiling)
    expect(finished.code).toBe(1)
    expect(finished.stdout).toMatch(/^FAILED: the journal and the books do not agree/m)
    expect(verdictsOf(finished)[wrong]).toBeGreaterThan(0)
  })
})
