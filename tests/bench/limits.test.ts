/** What several runs of a line of the limits come to: the worst of them, against allowances that no run can raise. */
import { expect, it } from 'vitest'

import { worstOf } from './limits.mjs'

const MEGABYTE = 1e6
const good = { seconds: 10, longestMs: 12, heapGrowth: 0, residentGrowth: MEGABYTE, peakBytes: 300 * MEGABYTE, load: 1 }
const line = { count: 1_000, growthMax: 32 * MEGABYTE, keptMax: undefined }

it('shows the worst run, however good the others are', () => {
  const slow = { ...good, longestMs: 51, residentGrowth: 2 * MEGABYTE }
  expect(worstOf([good, slow, good], line)).toMatchObject({ runs: 3, seconds: 30, longestMs: 51, medianMs: 12, residentGrowth: 2 * MEGABYTE, met: false })
  expect(worstOf([good, good, good], line)).toMatchObject({ longestMs: 12, met: true })
})

it.each(['heapGrowth', 'residentGrowth'] as const)('a leak seen as %s is one, whatever peak it has', (growth) => {
  const leak = { ...good, [growth]: 33 * MEGABYTE, peakBytes: 8_000 * MEGABYTE }
  expect(worstOf([good, good, leak], line).met).toBe(false)
})

it('what things take while they are kept has a limit for each', () => {
  const limit = 32 * MEGABYTE + 400 * 1_000
  const kept = (keptBytes: number) => worstOf([{ ...good, keptBytes }, { ...good, keptBytes: 0 }], { ...line, keptMax: 400 })
  expect(kept(limit)).toMatchObject({ keptBytes: limit, met: true })
  expect(kept(limit + 1).met).toBe(false)
})
