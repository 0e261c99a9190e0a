/**
 * All suites that treat the built package as a black box, as vitest projects.
 *
 * `native` and `wasm` run the same conformance cases on one engine each; `engines` compares the two
 * engines with each other; `crash` kills real processes; `distributed` works on a real Redis that each file starts; `scale` works on very much; `demo` spoils the demo and sees whether it notices;
 * `packaging` installs the packed package; `readme` runs the snippets of the documents. Nothing is retried: a test that fails now and then is a defect.
 */
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

interface Suite {
  readonly name: string
  readonly include: string[]
  /** Forces one engine for the tests and for every process that they start. */
  readonly engine?: 'native' | 'wasm'
  /** Upper bound for one test in ms: a hang ends here. Nothing waits for it to pass. */
  readonly timeoutMs: number
}

function suite({ name, include, engine, timeoutMs }: Suite): TestProjectConfiguration {
  return {
    test: {
      name,
      include,
      env: engine === undefined ? {} : { ACKBOX_ENGINE: engine },
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      pool: 'forks',
      // The package is loaded by Node itself, not by vitest's transformer: what is tested is what ships.
      server: { deps: { external: [/npm[\\/]ackbox[\\/]/] } },
    },
  }
}

const CASES = ['conformance/cases/**/*.test.ts', 'conformance/storage/**/*.test.ts']

/** What takes longest begins first: else it is alone at the end, on one core. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ project }: TestSpecification): boolean => project.name === 'scale'
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // By default one core is left idle.
    maxWorkers: '100%',
    projects: [
      suite({ name: 'native', include: CASES, engine: 'native', timeoutMs: 20_000 }),
      suite({ name: 'wasm', include: CASES, engine: 'wasm', timeoutMs: 20_000 }),
      suite({ name: 'engines', include: ['conformance/engines/**/*.test.ts'], timeoutMs: 20_000 }),
      suite({ name: 'driver-native', include: ['driver/**/*.test.ts'], engine: 'native', timeoutMs: 1_200_000 }),
      suite({ name: 'driver-wasm', include: ['driver/**/*.test.ts'], engine: 'wasm', timeoutMs: 1_200_000 }),
      suite({ name: 'crash', include: ['crash/**/*.test.ts', 'peers/*.test.ts', 'bench/*.test.ts'], timeoutMs: 240_000 }),
      suite({ name: 'distributed', include: ['distributed/**/*.test.ts'], timeoutMs: 60_000 }),
      suite({ name: 'scale', include: ['scale/**/*.test.ts'], timeoutMs: 420_000 }),
      suite({ name: 'demo', include: ['demo/**/*.test.ts'], timeoutMs: 120_000 }),
      suite({ name: 'packaging', include: ['packaging/**/*.test.ts'], timeoutMs: 240_000 }),
      suite({ name: 'readme', include: ['readme/**/*.test.ts'], timeoutMs: 120_000 }),
    ],
  },
})
