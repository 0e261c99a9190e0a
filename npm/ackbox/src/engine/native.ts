/** The engine as a native addon of Node. */

import { createRequire } from 'node:module'
import { BoundEngine, construct, createGuard, messageOf, unlessRefused } from './bound-engine.js'
import type { Binding, Memory } from './bound-engine.js'
import { type BreakerBinding, EngineBreaker, plainSnapshot } from './breaker.js'
import type { Config, Engine, EngineModule, LockHandle } from './engine.js'
import { plain } from './plain.js'
import type { Area } from './records.js'

const inputBytes = 128 * 1024
const outputBytes = 1024 * 1024

interface NodeEngine extends Binding {
  rebind(input: Uint8Array, output: Uint8Array): void
}

interface Addon {
  readonly NodeEngine: new (
    nowMs: number,
    config: unknown,
    entropy: Uint8Array | undefined,
    input: Uint8Array,
    output: Uint8Array,
  ) => NodeEngine
  readonly NodeBreaker: new (
    nowMs: number,
    options: unknown,
    entropy: Uint8Array,
    seed: string | undefined,
    snapshot: unknown,
  ) => BreakerBinding
  backoffDelay(backoff: unknown, seed: string, id: string, attempt: number, floorMs: number | undefined): number
  lockFile(path: string): LockHandle | null
}

/** Loads the addon of this platform; throws the loader's error if there is none that works. */
export function loadNative(): EngineModule {
  const addon = createRequire(import.meta.url)(`../native/${addonName()}`) as Addon
  return {
    kind: 'native',
    create: (now, config, entropy) => create(addon, now, config, entropy),
    // Nothing is kept over the call, so a panic ends it alone.
    backoffDelay: (backoff, seed, id, attempt, floorMs) =>
      unlessRefused(createGuard(messageOf), () => addon.backoffDelay(backoff, seed, id, attempt, floorMs)),
    createBreaker(now, options, { entropy, text }, snapshot) {
      // A panic ends this breaker alone.
      const guard = createGuard(messageOf)
      const object = plain(options, 'breaker')
      const saved = plainSnapshot(snapshot)
      const binding = unlessRefused(guard, () => new addon.NodeBreaker(now, object, entropy, text, saved))
      return new EngineBreaker(binding, guard)
    },
    lockFile: (path) => addon.lockFile(path),
  }
}

/** Each engine has a memory of its own, so a panic ends that engine alone. */
function create(addon: Addon, now: number, config: Config, entropy: Uint8Array | undefined): Engine {
  const guard = createGuard(messageOf)
  const memory = new OwnMemory()
  const binding = construct(
    guard,
    config,
    (object) => new addon.NodeEngine(now, object, entropy, bytesOf(memory.input), bytesOf(memory.output)),
  )
  memory.bind(binding)
  return new BoundEngine('native', binding, memory, guard)
}

/** Areas that belong to JavaScript and that the addon keeps pinned: their buffers are never transferred. */
class OwnMemory implements Memory {
  input = area(inputBytes)
  output = area(outputBytes)
  #binding: NodeEngine | undefined
  #moved = false

  bind(binding: NodeEngine): void {
    this.#binding = binding
  }

  reserve(input: number, output: number): void {
    if (input <= this.input.length && output <= this.output.length) return
    const larger = area(grown(this.input.length, input))
    bytesOf(larger).set(bytesOf(this.input))
    this.input = larger
    this.output = area(grown(this.output.length, output))
    this.#binding?.rebind(bytesOf(this.input), bytesOf(this.output))
    this.#moved = true
  }

  moved(): boolean {
    const moved = this.#moved
    this.#moved = false
    return moved
  }
}

function area(length: number): Area {
  return { buffer: new ArrayBuffer(length), offset: 0, length }
}

function bytesOf({ buffer, offset, length }: Area): Uint8Array {
  return new Uint8Array(buffer, offset, length)
}

/** Doubles, so that a stream of ever larger records copies each byte a few times at most. */
function grown(length: number, needed: number): number {
  let size = length
  while (size < needed) size *= 2
  return size
}

/** The name that the build gives to the addon of this platform. */
export function addonName(): string {
  const { platform, arch } = process
  const library = platform === 'linux' ? (usesMusl() ? '-musl' : '-gnu') : ''
  return `ackbox.${platform}-${arch}${library}.node`
}

/** What the types of Node 20 leave out. */
interface Report {
  excludeNetwork: boolean
  getReport(): { header: { glibcVersionRuntime?: string } }
}

/** The report names the GNU C library only where the process runs on it. */
function usesMusl(): boolean {
  const report = process.report as unknown as Report | undefined
  if (report === undefined) return false
  const { excludeNetwork } = report
  // Looking up the names of all interfaces can take seconds, and is not needed here.
  report.excludeNetwork = true
  try {
    return report.getReport().header.glibcVersionRuntime === undefined
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}
