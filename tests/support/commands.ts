/** Tools of the command line, run to their end. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a command ended. */
export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A command that hangs ends here, and with it the test; what works on very much says its own limit. */
const LIMIT_MS = 100_000

/** Runs a command to its end; it may fail. Rejects if it could not be started, or did not end by itself. */
export function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}, limitMs = LIMIT_MS): Promise<Finished> {
  const limit = { timeout: limitMs, killSignal: 'SIGKILL' } as const
  const options = { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env }, maxBuffer: 64 << 20, ...limit }
  return new Promise((resolve, reject) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(new Error(`${error.message}\n${stdout}\n${stderr}`, { cause: error }))
      else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** Runs a command that must succeed; resolves with its standard output. */
export async function mustRun(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}, limitMs = LIMIT_MS): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd, env, limitMs)
  if (code === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
}

/** The TypeScript compiler of this project. */
export const TSC = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))
