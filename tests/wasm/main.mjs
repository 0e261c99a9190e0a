/**
 * `node main.mjs <module.wasm>`: runs the tests that a module holds (`src/runner.rs` is its side), and counts them as Cargo does.
 *
 * A test that panics ends the instance that it runs in; the next ones run in a new one.
 */
import { readFile } from 'node:fs/promises'

const [NORMAL, LEFT_OUT, SHOULD_PANIC] = [0, 1, 2]

const module = await WebAssembly.compile(await readFile(process.argv[2]))
/** Name, kind and what it should say in its panic, by number. */
const tests = []
const failed = new Map()
const counts = { passed: 0, failed: 0, ignored: 0 }
/** The test that runs. */
let current = -1
/** What it said so far. */
let said = ''

/** Runs tests behind the current one until one panics, or none is left; whether any is. */
function runSome() {
  let memory
  const text = (pointer, length) => new TextDecoder().decode(new Uint8Array(memory.buffer, pointer, length))
  const runner = {
    declare(number, pointer, length, kind) {
      tests[number] = { name: text(pointer, length), kind, panic: '' }
    },
    expect(number, pointer, length) {
      tests[number].panic = text(pointer, length)
    },
    next() {
      said = ''
      while (tests[++current]?.kind === LEFT_OUT) counts.ignored++
      return current
    },
    returned(number, isWell) {
      if (tests[number].kind === SHOULD_PANIC) fails(`it should panic with '${tests[number].panic}', and did not`)
      else if (isWell === 0) fails(said)
      else counts.passed++
    },
    say(pointer, length) {
      said += `${text(pointer, length)}\n`
    },
  }
  const { exports } = new WebAssembly.Instance(module, { runner })
  memory = exports.memory
  try {
    exports.main(0, 0)
    return false
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error
    panicked(error)
    return true
  }
}

function panicked(error) {
  const { kind, panic } = tests[current]
  if (kind === SHOULD_PANIC && said.includes(panic)) counts.passed++
  else fails(said || `${error.stack}`)
}

function fails(why) {
  counts.failed++
  failed.set(tests[current].name, why)
}

while (runSome());

for (const [name, why] of failed) console.log(`test ${name} ... FAILED\n${why}`)
const verdict = failed.size === 0 && counts.passed > 0 ? 'ok' : 'FAILED'
console.log(`test result: ${verdict}. ${counts.passed} passed; ${counts.failed} failed; ${counts.ignored} ignored`)
process.exitCode = verdict === 'ok' ? 0 : 1
