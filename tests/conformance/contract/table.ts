/** Which test shows which row of the contract, read from the titles of the tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { ROWS } from './rows.ts'
import { modulesOf, titlesInRust, titlesInTypeScript } from './titles.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Where tests are. */
const PLACES = ['tests/conformance', 'tests/browser', 'tests/crash', 'tests/scale', 'tests/packaging', 'tests/readme', 'tests/demo', 'crates/core/tests']

/** A title of a test, or of a file of tests, that names rows. */
interface Title {
  readonly file: string
  readonly text: string
  readonly keys: readonly string[]
}

/** `[A2 dedup]` or `[S3, S6]` in a title. */
const TAG = /\[((?:A\d+ [A-Za-z -]+|S\d+)(?:, (?:A\d+ [A-Za-z -]+|S\d+))*)\]/g

function sources(folder: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  const tests = entries.filter((name) => /\.test\.ts$|\.rs$/.test(name) && !name.includes('node_modules'))
  return tests.map((name) => `${folder}/${name.replaceAll('\\', '/')}`).toSorted()
}

function titlesOf(file: string): Title[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  if (file.endsWith('.rs') && !isCompiled(file)) return []
  const texts = file.endsWith('.rs') ? titlesInRust(source) : titlesInTypeScript(source)
  return texts.flatMap((text) => {
    const keys = [...text.matchAll(TAG)].flatMap((tag) => tag[1]!.split(', '))
    return keys.length === 0 ? [] : [{ file, text: text.replaceAll(TAG, '').trim(), keys }]
  })
}

/** Whether a file of a Rust crate of several files is a module of it. */
function isCompiled(file: string): boolean {
  const main = join(ROOT, dirname(file), 'main.rs')
  const module = basename(file, '.rs')
  if (module === 'main' || !existsSync(main)) return true
  return modulesOf(readFileSync(main, 'utf8')).includes(module)
}

/** All titles that name a row. */
export function taggedTitles(): Title[] {
  return PLACES.flatMap(sources).flatMap(titlesOf)
}

/** What is wrong between rows and titles, one line each. */
export function gaps(titles: readonly Title[]): string[] {
  const found: string[] = []
  const named = new Set(titles.flatMap(({ keys }) => keys))
  for (const { key, later } of ROWS) {
    if (later === undefined && !named.has(key)) found.push(`no test names [${key}]`)
    if (later !== undefined && named.has(key)) found.push(`a test names [${key}], which is said to wait for ${later}`)
  }
  const known = new Set(ROWS.map(({ key }) => key))
  for (const { file, text, keys } of titles) {
    for (const key of keys) if (!known.has(key)) found.push(`${file}: '${text}' names [${key}], which is no row`)
  }
  return found
}

/** The table as a Markdown document. */
export function table(titles: readonly Title[]): string {
  const lines = [
    '# What shows the contract',
    '',
    'Each row of the public contract (`A`, with the number of its part) and of its fine print (`S`), and the tests that show',
    'it. Written from the titles of the tests by `npm run contract` in `tests/`; a test fails when it is stale.',
    '',
    '| row | promise | shown by |',
    '|---|---|---|',
  ]
  for (const { key, promise, later } of ROWS) {
    const shown = titles.filter(({ keys }) => keys.includes(key)).map(({ file, text }) => `${escaped(text)} (\`${file}\`)`)
    lines.push(`| ${key} | ${escaped(promise)} | ${later === undefined ? shown.join('; ') : `owed: ${later}`} |`)
  }
  return `${lines.join('\n')}\n`
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|')
}
