/**
 * The README's snippets are programs that run.
 *
 * The convention: every fence whose info string begins with `js` or `ts` is one complete program. It runs in an
 * empty folder, must end by itself with exit code 0 and must write nothing to stderr; a `ts` program must also
 * compile with `tsc --strict`. A fence for reading only names no language or another one.
 */
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { mustRun, run, TSC } from '../support/commands.ts'

const README = new URL('../../README.md', import.meta.url)
const PACKAGES = fileURLToPath(new URL('../node_modules', import.meta.url))

interface Snippet {
  readonly language: 'js' | 'ts'
  readonly line: number
  readonly code: string
}

/** All programs of a Markdown text, with the lines at which their fences begin. */
function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = []
  const lines = markdown.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^```(\S*)/.exec(lines[index]!)
    if (fence === null) continue
    const end = lines.indexOf('```', index + 1)
    if (end < 0) throw new Error(`README.md:${index + 1}: the fence is never closed`)
    const language = fence[1]!
    if (language === 'js' || language === 'ts') {
      snippets.push({ language, line: index + 1, code: lines.slice(index + 1, end).join('\n') })
    }
    index = end
  }
  return snippets
}

const COMPILER_OPTIONS = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
}

const snippets = snippetsOf(await readFile(README, 'utf8'))
let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'ackbox-readme-'))
  await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
  await symlink(join(PACKAGES, 'ackbox'), join(project, 'node_modules', 'ackbox'))
  await cp(join(PACKAGES, '@types', 'node'), join(project, 'node_modules', '@types', 'node'), { recursive: true })
  await cp(join(PACKAGES, 'undici-types'), join(project, 'node_modules', 'undici-types'), { recursive: true })
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
})

afterAll(() => rm(project, { recursive: true, force: true }))

/** Writes a snippet into an empty folder and gives the path of the JavaScript that it comes to. */
async function program({ language, line, code }: Snippet): Promise<string> {
  const folder = join(project, `line-${line}`)
  await mkdir(folder)
  await writeFile(join(folder, `snippet.${language}`), code)
  if (language === 'ts') {
    const tsconfig = { compilerOptions: COMPILER_OPTIONS, files: ['snippet.ts'] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    await mustRun(process.execPath, [TSC, '-p', '.'], folder)
  }
  return join(folder, 'snippet.js')
}

describe('README.md', () => {
  it('has snippets', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(3)
  })

  it.each(snippets)('the snippet at line $line runs', async (snippet) => {
    const path = await program(snippet)
    const cwd = join(path, '..', 'empty')
    await mkdir(cwd)
    expect(await run(process.execPath, [path], cwd)).toMatchObject({ code: 0, stderr: '' })
  })
})
