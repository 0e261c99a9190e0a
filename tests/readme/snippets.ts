/**
 * Programs in Markdown documents: where they are, what they say that they print, and what they really print.
 *
 * Every fence whose info string is `js` or `ts` is one complete program. Each of its lines with a `console.log` ends
 * with a comment that holds exactly what it prints, white space apart; so a comment beside other code may say anything.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { type Finished, mustRun, run, TSC } from '../support/commands.ts'

const RECORDER = new URL('record-prints.mjs', import.meta.url)

/** A program of a document. */
export interface Snippet {
  readonly document: string
  readonly language: 'js' | 'ts'
  /** Of its fence, from 1. */
  readonly line: number
  readonly code: string
}

/** What a program printed: from which of its lines, and what. */
export interface Print {
  readonly line: number
  readonly text: string
}

/** All programs of a Markdown text, with the lines at which their fences begin. */
export function snippetsOf(document: string, markdown: string): Snippet[] {
  const snippets: Snippet[] = []
  const lines = markdown.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const fence = /^```(\S*)/.exec(lines[index]!)
    if (fence === null) continue
    const end = lines.indexOf('```', index + 1)
    if (end < 0) throw new Error(`${document}:${index + 1}: the fence is never closed`)
    const language = fence[1]!
    if (language === 'js' || language === 'ts') {
      snippets.push({ document, language, line: index + 1, code: lines.slice(index + 1, end).join('\n') })
    }
    index = end
  }
  return snippets
}

/** Where what was printed is not what the comments say, one line each. */
export function differences({ document, line: fence, code }: Snippet, prints: readonly Print[]): string[] {
  const found: string[] = []
  for (const [index, source] of code.split('\n').entries()) {
    if (!source.includes('console.log(')) continue
    const place = `${document}:${fence + index + 1}`
    const wanted = /console\.log\(.*\).*?\/\/ (.*)$/.exec(source)?.[1]
    const printed = prints.filter(({ line }) => line === index + 1).map(({ text }) => plain(text))
    if (wanted === undefined) found.push(`${place}: expected a comment that says what it prints`)
    else if (printed.length === 0) found.push(`${place}: expected it to print '${wanted}', but it printed nothing`)
    else for (const text of printed) if (text !== plain(wanted)) found.push(`${place}: expected '${wanted}', it printed '${text}'`)
  }
  return found
}

const COMPILER_OPTIONS = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  strict: true,
  inlineSourceMap: true,
}

/** Writes a program into a folder below `project`, which holds its packages; gives that folder. A `ts` program must compile. */
export async function writeSnippet(project: string, { document, line, language, code }: Snippet): Promise<string> {
  const folder = join(project, `${document.replaceAll(/\W/g, '-')}-${line}`)
  await mkdir(join(folder, 'cwd'), { recursive: true })
  await writeFile(join(folder, `snippet.${language}`), code)
  if (language === 'ts') {
    const tsconfig = { compilerOptions: COMPILER_OPTIONS, files: ['snippet.ts'] }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
    await mustRun(process.execPath, [TSC, '-p', '.'], folder)
  }
  return folder
}

/** Runs the program in this folder. What it leaves on the disk is there when it runs again. */
export async function runSnippet(folder: string): Promise<Finished & { prints: Print[] }> {
  const record = join(folder, 'prints')
  await writeFile(record, '')
  const args = ['--enable-source-maps', '--import', fileURLToPath(RECORDER), join(folder, 'snippet.js')]
  const finished = await run(process.execPath, args, join(folder, 'cwd'), { ACKBOX_PRINTS: record })
  const lines = (await readFile(record, 'utf8')).split('\n').filter(Boolean)
  return { ...finished, prints: lines.map((text) => JSON.parse(text) as Print) }
}

/** Objects are printed on one line or on several, as they come. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
