/**
 * The snippets of the documents are programs that run, and print what their comments say.
 *
 * Each must end by itself with exit code 0 and write nothing to stderr, and so it must when it is run again on what it
 * left behind. A fence for reading only names no language or another one.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { differences, runSnippet, type Snippet, snippetsOf, writeSnippet } from './snippets.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PACKAGES = fileURLToPath(new URL('../node_modules', import.meta.url))
/** Folders whose Markdown is read, their subfolders included; and single documents. */
const DOCUMENTS = ['README.md', 'npm/ackbox/README.md', 'npm/ackbox/docs', 'npm/examples']

/** Not ours; and the reference, whose examples are fragments that the declarations show. */
const NO_PROGRAMS = /node_modules|^reference/

async function markdownOf(path: string): Promise<string[]> {
  if (path.endsWith('.md')) return [path]
  const entries = await readdir(join(ROOT, path), { recursive: true }).catch(() => [])
  return entries.filter((name) => name.endsWith('.md') && !NO_PROGRAMS.test(name)).map((name) => join(path, name))
}

const documents = (await Promise.all(DOCUMENTS.map(markdownOf))).flat()
const snippets: Snippet[] = []
for (const document of documents) snippets.push(...snippetsOf(document, await readFile(join(ROOT, document), 'utf8')))

let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'ackbox-readme-'))
  await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
  await symlink(join(PACKAGES, 'ackbox'), join(project, 'node_modules', 'ackbox'))
  await cp(join(PACKAGES, '@types', 'node'), join(project, 'node_modules', '@types', 'node'), { recursive: true })
  await symlink(join(PACKAGES, 'zod'), join(project, 'node_modules', 'zod'))
  await mkdir(join(project, 'node_modules', '@electric-sql'))
  await symlink(join(PACKAGES, '@electric-sql', 'pglite'), join(project, 'node_modules', '@electric-sql', 'pglite'))
  await cp(join(PACKAGES, 'undici-types'), join(project, 'node_modules', 'undici-types'), { recursive: true })
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }))
})

afterAll(() => rm(project, { recursive: true, force: true }))

describe('documents', () => {
  it('hold snippets', () => {
    for (const document of ['README.md', 'npm/ackbox/README.md']) {
      expect(snippets.filter((snippet) => snippet.document === document), document).not.toHaveLength(0)
    }
  })

  it.each(snippets)('the snippet at $document:$line runs, and prints what it says', async (snippet) => {
    const folder = await writeSnippet(project, snippet)
    const finished = await runSnippet(folder)
    expect(finished).toMatchObject({ code: 0, stderr: '' })
    expect(differences(snippet, finished.prints)).toEqual([])
    expect(await runSnippet(folder)).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('a snippet', () => {
  it.each<[string, 'js' | 'ts', string, string[]]>([
    ['prints what it says', 'js', "const n = 1\nconsole.log({ n }, 'a') // { n: 1 } a", []],
    ['prints something else', 'js', '\nconsole.log(1 + 1) // 3', ["a.md:9: expected '3', it printed '2'"]],
    ['prints something else than TypeScript says', 'ts', 'interface A {}\n\nconsole.log(1 as A) // 2', ["a.md:10: expected '2', it printed '1'"]],
    ['says nothing of what it prints', 'js', 'console.log(1)', ['a.md:8: expected a comment that says what it prints']],
    [
      'never comes to what it should print',
      'js',
      'setTimeout(() => console.log(1), 0) // 1\nprocess.exit() // 2',
      ["a.md:8: expected it to print '1', but it printed nothing"],
    ],
    ['prints twice', 'js', 'for (const n of [1, 2]) console.log(n) // 1', ["a.md:8: expected '1', it printed '2'"]],
  ])('that %s', async (name, language, code, expected) => {
    const snippet = { document: 'a.md', line: 7, language, code }
    const { prints } = await runSnippet(await writeSnippet(join(project, name.replaceAll(' ', '-')), snippet))
    expect(differences(snippet, prints)).toEqual(expected)
  })
})
