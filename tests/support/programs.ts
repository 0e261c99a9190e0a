/** Real child processes: programs that use the package, whose output is read line by line. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { onTestFinished } from 'vitest'

/** How a program ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Lines of its standard output. */
  readonly lines: readonly string[]
  readonly stderr: string
}

/** A program that runs. */
export interface Program {
  readonly child: ChildProcess
  /** Lines so far. */
  readonly lines: readonly string[]
  /**
   * Resolves with the first line that fits, past or future; rejects if the program ends without one. Asks about each
   * line once, in order.
   */
  line(fits: (line: string) => boolean): Promise<string>
  readonly ending: Promise<Ending>
}

/** Starts a program; it is killed when the test ends, whatever became of it. */
export function start(program: URL, args: readonly string[] = [], options: SpawnOptions = {}): Program {
  const child = spawn(process.execPath, [fileURLToPath(program), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    env: { ...process.env, NODE_OPTIONS: '', ...options.env },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let stderr = ''
  let ended = false
  const wake = (): void => waiting.forEach((look) => look())
  const reader = createInterface({ input: child.stdout! })
  reader.on('line', (line) => {
    lines.push(line)
    wake()
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ending = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      ended = true
      wake()
      resolve({ code, signal, lines, stderr })
    })
  })
  const line = (fits: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      let asked = 0
      const look = (): void => {
        while (asked < lines.length) {
          const candidate = lines[asked++]!
          if (!fits(candidate)) continue
          waiting.delete(look)
          return resolve(candidate)
        }
        if (!ended) return
        waiting.delete(look)
        reject(new Error(`the program ended without that line\n${lines.join('\n')}\n${stderr}`))
      }
      waiting.add(look)
      look()
    })
  return { child, lines, line, ending }
}

/** Runs a program to its end and expects it to succeed. */
export async function succeed(program: URL, args: readonly string[] = [], options: SpawnOptions = {}): Promise<readonly string[]> {
  const { code, signal, lines, stderr } = await start(program, args, options).ending
  if (code === 0) return lines
  throw new Error(`${fileURLToPath(program)} ended with ${signal ?? code}\n${lines.join('\n')}\n${stderr}`)
}
