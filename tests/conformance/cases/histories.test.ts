/** The `history` option: past attempts of completed messages. */
import { constant, type QueueOptions } from 'ackbox'
import { expect, it } from 'vitest'

import { eachStorage } from '../support/boxes.ts'
import { refusal } from '../support/errors.ts'

const OPTIONS: QueueOptions<number> = {
  backoff: constant(10),
  id: String,
  history: { windowMs: 60_000, maxEntries: 2 },
}

eachStorage('the history of a completed message [A2 history]', (make) => {
  it('is shown within its window, of the latest messages, over reopening', async () => {
    const { box, clock, reopen } = await make()
    const queue = box.queue<number, string>('jobs', OPTIONS)
    queue.process(({ attempt }) => {
      if (attempt < 3) throw new Error(`attempt ${attempt} failed`)
      return 'done'
    })
    for (const body of [1, 2, 3]) {
      const ended = queue.finished(String(body))
      await queue.enqueue(body)
      await clock.advance(20)
      expect(await ended).toMatchObject({ state: 'completed', attempt: 3 })
    }
    const again = (await reopen()).queue<number, string>('jobs')
    expect((await again.get('1'))?.history).toEqual([])
    const shown = await again.get('3')
    expect(shown).toMatchObject({
      result: 'done',
      attempt: 3,
      history: [
        { attempt: 1, reason: 'exhausted', error: { name: 'Error', message: 'attempt 1 failed' } },
        { attempt: 2, reason: 'exhausted', error: { name: 'Error', message: 'attempt 2 failed' } },
      ],
    })
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown)
    await clock.advance(59_979)
    expect((await again.get('2'))?.history).toHaveLength(2)
    await clock.advance(60_000)
    expect(await again.get('2')).toMatchObject({ result: 'done', history: [] })
  })

  it('is not kept unless the queue says so', async () => {
    const { box } = await make()
    const queue = box.queue<number>('jobs', { ...OPTIONS, history: undefined, backoff: constant(0) })
    await queue.enqueue(1)
    await (await queue.dequeue())!.reject(new Error('no'))
    await (await queue.dequeue())!.ack()
    expect(await queue.get('1')).toMatchObject({ state: 'completed', attempt: 2, history: [] })
  })

  it.each<[unknown, RegExp]>([
    [{ windowMs: 1 }, /maxEntries/],
    [{ maxEntries: 1 }, /windowMs/],
    [{ windowMs: -1, maxEntries: 1 }, /windowMs.*-1/],
    [{ windowMs: 1, maxEntries: 1.5 }, /maxEntries.*1\.5/],
    [{ windowMs: 1, maxEntry: 1 }, /'maxEntry'.*'maxEntries'/],
    [true, /history/],
  ])('%j is refused', async (history, message) => {
    const { box } = await make()
    await refusal(() => box.queue('jobs', { history: history as never }), 'ERR_INVALID_OPTION', message)
  })
})
