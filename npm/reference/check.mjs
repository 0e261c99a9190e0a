/** Fails when the committed reference is not what the declarations say now. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const committed = join(here, '../ackbox/docs/reference')
const fresh = mkdtempSync(join(tmpdir(), 'ackbox-reference-'))

/** The pages below a folder, by their paths. */
function pages(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.md'))
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

try {
  const typedoc = join(here, 'node_modules/typedoc/bin/typedoc')
  execFileSync(process.execPath, [typedoc, '--logLevel', 'Warn', '--out', fresh], { cwd: here, stdio: 'inherit' })
  const [wanted, found] = [pages(fresh), pages(committed)]
  const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter((name) => wanted.get(name) !== found.get(name))
  if (stale.length > 0) {
    console.error(`stale pages of npm/ackbox/docs/reference: ${stale.join(', ')}\nrun \`npm run reference\` in npm/`)
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
