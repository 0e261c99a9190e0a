/**
 * The titles of tests that run. What is commented out, skipped or still to be written shows nothing, and neither does a
 * suite or a Rust module in which nothing runs.
 */
import { parseAst } from 'vitest/node'

/** What registers tests, or suites of them. */
const REGISTRARS = new Set(['describe', 'it', 'test', 'suite', 'eachStorage', 'storageSuite'])
/** Of these, what is a test by itself or registers some whatever it is given. */
const TESTS = new Set(['it', 'test', 'storageSuite'])
/** `it.skip`, `describe.todo`: nothing runs. (`runIf` and `skipIf` run somewhere.) */
const IDLE = new Set(['skip', 'todo'])

/** The titles in a file of tests in TypeScript, those of suites included. */
export function titlesInTypeScript(source: string): string[] {
  return running(parseAst(source, { lang: 'ts' }) as unknown as Node, source).titles
}

/** What the documentation of a Rust module says, a paragraph each, if any of its tests runs. */
export function titlesInRust(source: string): string[] {
  const lines = source.split('\n').map((line) => line.trim())
  // Attributes of one function stand together; a comment is none.
  const runs = lines.some((line, at) => line === '#[test]' && !attributesAround(lines, at).some((attribute) => attribute.startsWith('#[ignore')))
  if (!runs) return []
  const documentation = lines.filter((line) => line.startsWith('//!')).map((line) => line.slice(3).trim())
  return documentation.join('\n').split(/\n{2,}/).map(shortened)
}

/** The first sentence of a paragraph, with the tags of all of it. */
function shortened(paragraph: string): string {
  const text = paragraph.replaceAll('\n', ' ')
  const tags = text.match(/\[[^\]`]*\]/g) ?? []
  const sentence = /^.*?\.(?= |$)/.exec(text.replace(/ ?\[[^\]`]*\]/g, ''))?.[0] ?? text
  return [sentence, ...tags].join(' ')
}

/** Names of the modules that a Rust file declares. */
export function modulesOf(source: string): string[] {
  return [...source.matchAll(/^\s*(?:pub )?mod (\w+);/gm)].map((declared) => declared[1]!)
}

/** What runs in a part of a file. */
interface Running {
  readonly titles: string[]
  readonly hasTests: boolean
}

/** A node of the syntax tree, of which nothing is known but what is looked at here. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [part: string]: unknown
}

const isNode = (part: unknown): part is Node => typeof (part as Node | null)?.type === 'string'

function running(node: Node, source: string): Running {
  const titles: string[] = []
  let hasTests = false
  for (const child of Object.values(node).flat().filter(isNode)) {
    const call = child.type === 'CallExpression' ? registration(child, source) : undefined
    if (call?.isIdle === true) continue
    const inside = running(child, source)
    const isTest = call !== undefined && TESTS.has(call.registrar)
    if (isTest || inside.hasTests) hasTests = true
    if (call?.title !== undefined && (isTest || inside.hasTests)) titles.push(call.title)
    titles.push(...inside.titles)
  }
  return { titles, hasTests }
}

/** A call that registers: `it('title', ...)`, `it.each(table)('title', ...)`, `describe.runIf(here)('title', ...)`. */
function registration(call: Node, source: string): { registrar: string; isIdle: boolean; title: string | undefined } | undefined {
  let callee = call['callee'] as Node
  let isIdle = false
  for (;;) {
    if (callee.type === 'MemberExpression') {
      isIdle ||= IDLE.has(String((callee['property'] as Node)['name']))
      callee = callee['object'] as Node
    } else if (callee.type === 'CallExpression') callee = callee['callee'] as Node
    else if (callee.type === 'TaggedTemplateExpression') callee = callee['tag'] as Node
    else break
  }
  const registrar = String(callee['name'])
  if (callee.type !== 'Identifier' || !REGISTRARS.has(registrar)) return undefined
  return { registrar, isIdle, title: titleOf((call['arguments'] as Node[])[0], source) }
}

function titleOf(argument: Node | undefined, source: string): string | undefined {
  if (argument?.type === 'Literal' && typeof argument['value'] === 'string') return argument['value']
  return argument?.type === 'TemplateLiteral' ? source.slice(argument.start + 1, argument.end - 1) : undefined
}

function attributesAround(lines: readonly string[], at: number): string[] {
  const isAttribute = (line: string | undefined): boolean => line?.startsWith('#[') ?? false
  let [from, to] = [at, at]
  while (isAttribute(lines[from - 1])) from--
  while (isAttribute(lines[to + 1])) to++
  return lines.slice(from, to + 1)
}
