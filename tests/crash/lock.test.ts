/** One owner at a time, whichever engines the owners run; a dead owner is never in the way. */
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { start, succeed, type Program } from '../support/programs.ts'
import { temporaryFolder } from '../conformance/support/boxes.ts'

type Engine = 'native' | 'wasm'

const HOLD = new URL('programs/hold.mjs', import.meta.url)
const REPORT = new URL('../conformance/programs/open-and-report.mjs', import.meta.url)

async function hold(engine: Engine, folder: string): Promise<Program> {
  const holder = start(HOLD, [folder], { env: { ACKBOX_ENGINE: engine } })
  await holder.line((line) => line === `open ${engine}`)
  return holder
}

async function report(engine: Engine, folder: string): Promise<Record<string, unknown>> {
  const lines = await succeed(REPORT, [folder], { env: { ACKBOX_ENGINE: engine } })
  return JSON.parse(lines.at(-1)!) as Record<string, unknown>
}

const PAIRS: [Engine, Engine][] = [
  ['native', 'native'],
  ['native', 'wasm'],
  ['wasm', 'native'],
  ['wasm', 'wasm'],
]

describe.each(PAIRS)('held by %s, opened by %s', (owner, opener) => {
  it('is refused while the owner lives, and taken over at once when it is killed [S22]', async () => {
    const folder = join(await temporaryFolder(), 'box')
    const holder = await hold(owner, folder)
    expect(await report(opener, folder)).toMatchObject({
      code: 'ERR_LOCKED',
      message: expect.stringContaining(String(holder.child.pid)),
      details: { pid: holder.child.pid, sameProcess: false, since: expect.any(Number) },
    })
    holder.child.kill('SIGKILL')
    await holder.ending
    expect(await report(opener, folder)).toEqual({ status: 'accepted', engine: opener })
  })

  it('is waited for until it is killed', async () => {
    const folder = join(await temporaryFolder(), 'box')
    const holder = await hold(owner, folder)
    const waiting = start(REPORT, [folder, '{"whenLocked":"wait"}'], { env: { ACKBOX_ENGINE: opener } })
    await waiting.line((line) => line === 'opening')
    holder.child.kill('SIGKILL')
    await holder.ending
    const { lines, stderr } = await waiting.ending
    expect(stderr).toBe('')
    expect(JSON.parse(lines.at(-1)!)).toEqual({ status: 'accepted', engine: opener })
  })

  it('is refused while the owner is stopped', async () => {
    const folder = join(await temporaryFolder(), 'box')
    const holder = await hold(owner, folder)
    holder.child.kill('SIGSTOP')
    expect(await report(opener, folder)).toMatchObject({ code: 'ERR_LOCKED' })
    holder.child.kill('SIGCONT')
    expect(await report(opener, folder)).toMatchObject({ code: 'ERR_LOCKED' })
  })

  it('is free once the owner closed it', async () => {
    const folder = join(await temporaryFolder(), 'box')
    await report(owner, folder)
    expect(await report(opener, folder)).toEqual({ status: 'accepted', engine: opener })
  })
})

it('of two that open at once after a crash, exactly one becomes the owner', async () => {
  for (let round = 0; round < 5; round += 1) {
    const folder = join(await temporaryFolder(), 'box')
    const holder = await hold('native', folder)
    holder.child.kill('SIGKILL')
    await holder.ending
    const rivals = PAIRS.flat().slice(0, 4).map((engine) => start(HOLD, [folder], { env: { ACKBOX_ENGINE: engine } }))
    const outcomes = await Promise.all(
      rivals.map((rival) =>
        rival.line((line) => line.startsWith('open')).catch(async () => (await rival.ending).stderr),
      ),
    )
    expect(outcomes.filter((outcome) => outcome.startsWith('open'))).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome.includes('ERR_LOCKED'))).toHaveLength(rivals.length - 1)
    for (const rival of rivals) rival.child.kill('SIGKILL')
    await Promise.all(rivals.map(({ ending }) => ending))
  }
})
