/** The bench of outboxes, with few orders: that it measures what it says, at the durability that it says. Speed is for the bench. */
import { describe, expect, it } from 'vitest'

interface Line {
  readonly name: string
  readonly asked: { readonly enqueue: string[]; readonly drain: string[] }
  readonly perSecond: Readonly<Record<string, number>>
}

type Measure = (options: { rounds: number; outbox: number; say(line: string): void }) => Promise<{ lines: Line[] }>

const BENCH = new URL('../../bench/browser.mjs', import.meta.url)

describe('the bench of outboxes in a browser', () => {
  it('compares with an outbox that is as durable or less', async () => {
    const { measureBrowser } = (await import(BENCH.href)) as { measureBrowser: Measure }
    const { lines } = await measureBrowser({ rounds: 1, outbox: 20, say: () => {} })
    expect(lines.map(({ name, asked }) => [name, asked])).toEqual([
      ['workbox', { enqueue: ['relaxed'], drain: ['default'] }],
      ['idb, relaxed', { enqueue: ['relaxed'], drain: ['relaxed'] }],
      ['idb, strict', { enqueue: ['strict'], drain: ['strict'] }],
      ['ackbox, relaxed', { enqueue: ['relaxed'], drain: ['relaxed'] }],
      ['ackbox, strict', { enqueue: ['strict'], drain: ['strict'] }],
    ])
    for (const { perSecond } of lines) {
      expect(Object.keys(perSecond).slice(0, 3)).toEqual(['alone', 'together', 'drain'])
      for (const rate of Object.values(perSecond)) expect(rate).toBeGreaterThan(0)
    }
  })
})
