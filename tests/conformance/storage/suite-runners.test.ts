/** The storage suite brings no runner: it works with that of Node, and with what Jest asks of a test. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { memoryStorage } from 'ackbox'
import { storageSuite } from 'ackbox/testing'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('programs/suite-under-node.mjs', import.meta.url))

async function underNode(storage: 'right' | 'broken'): Promise<{ code: number | null; output: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', PROGRAM], {
    env: { ...env, NODE_TEST_CONTEXT: undefined, ACKBOX_SUITE: storage },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

test('under node:test a storage that is right passes', async () => {
  const { code, output } = await underNode('right')
  expect(output).toMatch(/ok \d+ - cuts a tail, and appends behind the cut/)
  expect(output).not.toMatch(/not ok/)
  expect(code).toBe(0)
})

test('under node:test a storage that is broken fails by name', async () => {
  const { code, output } = await underNode('broken')
  expect(output).toMatch(/not ok \d+ - remembers a cut/)
  expect(output).toMatch(/ok \d+ - is empty at first/)
  expect(code).not.toBe(0)
})

test('Jest takes it: names are texts, functions take no callback and give promises of nothing', async () => {
  const names: string[] = []
  const runs: Promise<void>[] = []
  const jestTest = (name: string, run: (done?: () => void) => unknown, timeoutMs?: number): void => {
    // Jest waits for a callback that a test takes, and refuses one that also gives a promise.
    expect([typeof name, run.length, timeoutMs]).toEqual(['string', 0, undefined])
    const running = run()
    expect(running).toBeInstanceOf(Promise)
    runs.push((running as Promise<unknown>).then((value) => expect(value).toBeUndefined()))
    names.push(name)
  }
  storageSuite({ test: jestTest, create: memoryStorage, reopen: (storage) => storage })
  await Promise.all(runs)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThan(20)
})
