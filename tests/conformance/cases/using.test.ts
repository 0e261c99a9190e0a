/** `await using`: what a scope ends gives back what it holds. */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, it } from 'vitest'

import { mustRun, TSC } from '../../support/commands.ts'
import { temporaryFolder } from '../support/boxes.ts'

const PROGRAM = new URL('../programs/using.ts', import.meta.url)
const PACKAGES = fileURLToPath(new URL('../../node_modules', import.meta.url))

it('await using, compiled by tsc, closes boxes and workers, returns deliveries and leaves loops [A1 asyncDispose]', async () => {
  const project = await temporaryFolder()
  await mkdir(join(project, 'node_modules'))
  await symlink(join(PACKAGES, 'ackbox'), join(project, 'node_modules', 'ackbox'))
  const compilerOptions = { target: 'es2022', lib: ['es2023', 'esnext.disposable', 'dom'], module: 'nodenext', types: [], strict: true }
  const files = {
    'package.json': { type: 'module' },
    'tsconfig.json': { compilerOptions, files: ['using.ts'] },
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(project, name), JSON.stringify(content))
  await writeFile(join(project, 'using.ts'), await readFile(PROGRAM))
  await mustRun(process.execPath, [TSC, '-p', '.'], project)
  expect(await readFile(join(project, 'using.js'), 'utf8')).not.toMatch(/await using [a-z]/)
  expect((await mustRun(process.execPath, ['using.js'], project)).trim().split('\n')).toEqual([
    'holding 1: 0 ready, 1 leased',
    'delivery: 1 ready, 0 leased',
    'holding one more: 0 ready, 1 leased',
    'consumption: 1 ready, 0 leased',
    'events: done is true',
    'worker: 1 ready, 0 leased',
    'box: the box is closed',
  ])
})
