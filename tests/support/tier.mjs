// A tier of proof: checks that are counted, and the evidence of what was seen. `crates/xtask/src/proof.rs` tells who reads both.
import { writeFileSync } from 'node:fs'

/** Whether everything runs, or as much as every change must pass. */
export const IS_FULL = process.env['ACKBOX_LENGTH'] === 'full'

export class Tier {
  #passed = 0
  #failed = 0
  #figures = {}
  #proves = []
  #skipped = []

  /** Counts a check, which holds if there are no problems; gives whether it does. */
  check(title, problems) {
    if (problems.length === 0) {
      this.#passed += 1
      console.log(`ok: ${title}`)
      return true
    }
    this.#failed += 1
    console.log(`FAILED: ${title}`)
    for (const problem of problems.slice(0, 20)) console.log(`  ${problem}`)
    if (problems.length > 20) console.log(`  and ${problems.length - 20} more`)
    return false
  }

  /** Counts what cannot run here, and says why. */
  skip(title, why) {
    this.#skipped.push(`${title}: ${why}`)
    console.log(`skipped: ${title}: ${why}`)
  }

  /** A number, by a name with its unit. */
  figure(name, value) {
    this.#figures[name] = value
    console.log(`${name}: ${value}`)
  }

  /** What was done `runs` times for a promise, in one sentence, and how often that was not kept. */
  proves(promise, how, runs, failures) {
    this.#proves.push({ promise, how, runs, failures })
  }

  /** Says the counts, writes the evidence and whatever else belongs into it, and sets how the process ends. */
  finish(more = {}) {
    const file = process.env['ACKBOX_EVIDENCE']
    const evidence = { figures: this.#figures, proves: this.#proves, skipped: this.#skipped, ...more }
    if (file !== undefined) writeFileSync(file, `${JSON.stringify(evidence, null, 2)}\n`)
    const verdict = this.#failed === 0 ? 'ok' : 'FAILED'
    console.log(`test result: ${verdict}. ${this.#passed} passed; ${this.#failed} failed; ${this.#skipped.length} ignored`)
    process.exitCode = this.#failed === 0 ? 0 : 1
  }
}
