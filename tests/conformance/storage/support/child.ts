/** Programs of these tests that run as processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { onTestFinished } from 'vitest'

/** A program that talks in lines. */
export interface Child {
  readonly pid: number
  /** The next line that it prints, parsed as JSON. Rejects if it ends without one. */
  line(): Promise<Record<string, unknown>>
  /** Gives it a line to read. */
  tell(line: string): void
  /** Resolves when it has ended, with its last line if it printed any that was not asked for. */
  ended(): Promise<Record<string, unknown> | undefined>
  /** Kills it as the kernel would, and waits until it is gone. */
  kill(): Promise<void>
  /** Lets it end by itself: it waits for its input to end. */
  finish(): Promise<void>
}

/** Starts a program of `programs/`. It is killed when the test ends. */
export function start(program: string, args: readonly string[]): Child {
  return watch(spawn(process.execPath, [pathOf(program), ...args], { stdio: ['pipe', 'pipe', 'inherit'] }))
}

/** Starts it with a limit to the size of the files it writes, in blocks of 512 bytes. */
export function startLimited(blocks: number, program: string, args: readonly string[]): Child {
  const command = [`ulimit -f ${blocks}`, 'exec "$@"'].join(' && ')
  const argv = ['-c', command, 'sh', process.execPath, pathOf(program), ...args]
  return watch(spawn('/bin/sh', argv, { stdio: ['pipe', 'pipe', 'inherit'] }))
}

function pathOf(program: string): string {
  return fileURLToPath(new URL(`../programs/${program}`, import.meta.url))
}

function watch(child: ChildProcess): Child {
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  onTestFinished(() => void child.kill('SIGKILL'))
  return {
    pid: child.pid!,
    async line() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('expected a line, but the program ended')
      return JSON.parse(value) as Record<string, unknown>
    },
    tell(line) {
      child.stdin!.write(`${line}\n`)
    },
    async ended() {
      await exited
      const { value, done } = await lines.next()
      return done === true ? undefined : (JSON.parse(value) as Record<string, unknown>)
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async finish() {
      child.stdin!.end()
      await exited
    },
  }
}
