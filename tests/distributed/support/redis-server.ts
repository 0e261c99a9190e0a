/**
 * A real Redis for a test file: on a free port of the loopback, in a folder of its own, ended by its process.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectSocket, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Redis } from 'ioredis'

/** A server that runs, or is stopped and may run again over the same folder. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** A client for what the test does behind the ledger's back. */
  readonly admin: Redis
  start(): Promise<void>
  /** Kills it, as a cut of the power would. */
  kill(): Promise<void>
  /** Kills it and removes its folder. */
  remove(): Promise<void>
}

/** Starts a server; `settings` are those of its command line, without the dashes in front. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'ackbox-redis-'))
  const port = settings.port === undefined ? await freePort() : Number(settings.port)
  const all = { port: String(port), bind: '127.0.0.1', dir: folder, save: '', ...settings }
  const parameters = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
  const admin = new Redis(port, { lazyConnect: true, maxRetriesPerRequest: null, ...(settings.requirepass ? { password: settings.requirepass } : {}) })
  admin.on('error', () => {})
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    child = spawn('redis-server', parameters, { stdio: 'ignore' })
    await once(child, 'spawn')
    await listening(port, child)
  }
  async function kill(): Promise<void> {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null) return
    const gone = once(running, 'exit')
    running.kill('SIGKILL')
    await gone
  }
  async function remove(): Promise<void> {
    admin.disconnect()
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  await start()
  return { port, url: `redis://127.0.0.1:${port}`, admin, start, kill, remove }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** Resolves when somebody accepts connections: the process is up, however long that takes. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
    const socket = connectSocket(port, '127.0.0.1')
    const [connected] = await Promise.race([
      once(socket, 'connect').then(() => [true]),
      once(socket, 'error').then(() => [false]),
    ]).catch(() => [false])
    socket.destroy()
    if (connected) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}
