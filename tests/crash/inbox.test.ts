/**
 * From a sender's box into a service's box, over HTTP: each order once, though the service and the sender are killed, and
 * the network loses answers and doubles requests. [A7 receiver] [A7 httpSender]
 *
 * Moments and fates are drawn from a seed that is logged; ACKBOX_SEED repeats them.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { describe, expect, it, onTestFinished } from 'vitest'

import { type Program, start, succeed } from '../support/programs.ts'
import { between, seededRandom, seedOfRun } from '../support/random.ts'
import { badNetwork } from './inbox/bad-network.mjs'

const ORDERS = 60
/** The third is the sender. */
const KILLS = 4

const seed = seedOfRun()
console.log(`inbox tests: ACKBOX_SEED=${seed}`)

const program = (name: string): URL => new URL(`inbox/${name}.mjs`, import.meta.url)

interface World {
  /** What the service shipped: keys of the shipments by their orders. */
  readonly shipments: Map<string, Set<string>>
  /** What befell requests, and what was answered. */
  readonly seen: Readonly<Record<string, number>>
  /** What the sender knew at its end. */
  readonly told: string
}

async function live(mode: 'serve' | 'naive', kills: number, env: NodeJS.ProcessEnv): Promise<World> {
  const random = seededRandom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'ackbox-inbox-'))
  const file = join(folder, 'shipped')
  const network = await badNetwork(random)
  onTestFinished(() => {
    network.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const shipped = (): string[] => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [])
  const serve = async (): Promise<Program> => {
    const service = start(program('service'), [join(folder, 'service'), file, mode], { env })
    network.port = Number(await service.line((line) => /^\d+$/.test(line)))
    return service
  }
  const send = (): Program => start(program('sender'), [join(folder, 'sender'), network.url, String(ORDERS)], { env })

  let service = await serve()
  let sender = send()
  for (let kill = 1; kill <= kills; kill += 1) {
    const wanted = Math.floor((kill * ORDERS) / (kills + 2))
    while (shipped().length < wanted) await pause(2)
    await pause(between(random, 0, 5))
    // The sender dies in between, and comes back with all orders.
    const isSender = kill === 3
    const victim = isSender ? sender : service
    victim.child.kill('SIGKILL')
    expect(await victim.ending).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    if (isSender) sender = send()
    else service = await serve()
  }
  const told = await sender.line((line) => line.startsWith('done '))
  expect(await sender.ending).toMatchObject({ code: 0, stderr: '' })
  service.child.kill('SIGKILL')
  await service.ending
  await succeed(program('service'), [join(folder, 'service'), file, 'drain'], { env })

  const shipments = new Map<string, Set<string>>()
  for (const line of shipped()) {
    const [order, key] = line.split(' ') as [string, string]
    shipments.set(order, (shipments.get(order) ?? new Set()).add(key))
  }
  console.log(`seed ${seed}, ${mode}: ${JSON.stringify(network.seen)}`)
  return { shipments, seen: network.seen, told }
}

function judge({ shipments }: World): { missing: string[]; doubled: string[] } {
  const orders = Array.from({ length: ORDERS }, (_, index) => `order-${index}`)
  return {
    missing: orders.filter((order) => !shipments.has(order)),
    doubled: [...shipments].filter(([, keys]) => keys.size > 1).map(([order]) => order),
  }
}

describe.each(['native', 'wasm'] as const)('%s', (engine) => {
  it(`each of ${ORDERS} orders is shipped once, though service and sender are killed ${KILLS} times [A7 receiver] [A7 httpSender]`, async () => {
    const world = await live('serve', KILLS, { ACKBOX_ENGINE: engine })
    expect(judge(world)).toEqual({ missing: [], doubled: [] })
    expect([world.told, world.shipments.size]).toEqual([`done ${ORDERS} 0`, ORDERS])
    for (const fate of ['answer-lost', 'cut', 'twice', 'twice-at-once', '200', '202']) {
      expect(world.seen[fate], fate).toBeGreaterThan(0)
    }
    const unexpected = Object.keys(world.seen).filter((status) => /^\d/.test(status) && !['200', '202', '409', '503'].includes(status))
    expect(unexpected).toEqual([])
  })
})

it('a service without a memory of keys is found out: orders are shipped twice', async () => {
  const world = await live('naive', 0, {})
  expect(judge(world).doubled.length).toBeGreaterThan(0)
  expect(judge(world).missing).toEqual([])
})
