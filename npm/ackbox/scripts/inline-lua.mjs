/**
 * `node inline-lua.mjs`: the transitions of the ledger on Redis as a module, each with what it includes (`--#include`) and without its
 * comments. The Lua files are what people read; this is what is packed.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../src/ledger/redis', import.meta.url))

/** What `scripts.gen.ts` has to say. */
export function generated() {
  const parts = names('lua/lib').map((name) => `const ${name} = ${quoted(`lua/lib/${name}.lua`)}\n`)
  const scripts = names('lua').map((name) => `  ${name}: ${whole(`lua/${name}.lua`)},\n`)
  const head = '// Generated from lua/ by scripts/inline-lua.mjs. Do not edit.\n\n'
  return `${head}${parts.join('')}\n/** Every transition, whole. */\nexport const SCRIPTS = {\n${scripts.join('')}} as const\n`
}

function names(place) {
  return readdirSync(join(folder, place)).filter((file) => file.endsWith('.lua')).sort().map((file) => basename(file, '.lua'))
}

function read(file) {
  return readFileSync(join(folder, file), 'utf8')
}

function quoted(file) {
  return JSON.stringify(bare(read(file)))
}

/** A transition with what it includes, which stands at the top of it. */
function whole(file) {
  const includes = /^--#include (.*)$/m.exec(read(file))?.[1].split(' ') ?? []
  return includes.length === 0 ? quoted(file) : `[${includes.join(', ')}, ${quoted(file)}].join('\\n')`
}

function bare(text) {
  const lines = text.split('\n').map((line) => line.replace(/^\s*--.*$/, '').trimEnd())
  return lines.filter((line) => line !== '').join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(folder, 'scripts.gen.ts'), generated())
