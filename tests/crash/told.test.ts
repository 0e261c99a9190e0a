/** What the tiers of faults and of power cuts hold a box against finds each kind of wrong, and nothing in what is right. */
import { describe, expect, it } from 'vitest'

import { History } from '../support/told/history.mjs'

type Fact = [kind: string, id?: string, detail?: string | number]

interface Delivered {
  readonly attempt: number
  readonly isIntact: boolean
  readonly ran: readonly string[]
}

const sound: Delivered = { attempt: 9, isIntact: true, ran: ['charge'] }

function stockOf(states: Record<string, string>, found: Record<string, Delivered[]> = {}, complaints: string[] = []): object {
  return { states: new Map(Object.entries(states)), found: new Map(Object.entries(found)), complaints }
}

function historyOf(facts: readonly Fact[]): History {
  const history = new History()
  for (const [kind, id, detail] of facts) history.say(kind, id, detail)
  return history
}

const OFFERED: Fact[] = [['offer', 'a']]
const ACCEPTED: Fact[] = [...OFFERED, ['accept', 'a']]
const HANDLED: Fact[] = [...ACCEPTED, ['start', 'a', 1], ['run', 'a', 'charge'], ['record', 'a', 'charge'], ['handle', 'a']]
const TWINS: Fact[] = [...ACCEPTED, ['offer', 'b'], ['accept', 'b'], ['twin', 'a', 'b']]
const HEIRS: Fact[] = [...HANDLED, ['offer', 'b'], ['heir', 'a', 'b']]

describe('a box that is opened again', () => {
  it.each<[string, Fact[], object, string[]]>([
    ['has what was accepted', ACCEPTED, stockOf({ a: 'ready' }, { a: [sound] }), []],
    ['may know what was never answered', OFFERED, stockOf({ a: 'ready' }, { a: [sound] }), []],
    ['may know nothing of it', OFFERED, stockOf({ a: 'unknown' }), []],
    ['may have completed what was handled', HANDLED, stockOf({ a: 'completed' }), []],
    ['lost a message', ACCEPTED, stockOf({ a: 'unknown' }), ['lost: a']],
    ['forgot a completion', [...HANDLED, ['complete', 'a']], stockOf({ a: 'scheduled' }), ['completed, but now scheduled: a']],
    ['forgot a death', [...ACCEPTED, ['spoil', 'a'], ['die', 'a']], stockOf({ a: 'scheduled' }), ['dead, but now scheduled: a']],
    [
      'forgot a withdrawal',
      [...ACCEPTED, ['cancel', 'a'], ['cancelled', 'a']],
      stockOf({ a: 'scheduled' }),
      ['cancelled, but now scheduled: a'],
    ],
    ['completed what nobody handled', ACCEPTED, stockOf({ a: 'completed' }), ['completed without being handled: a']],
    ['buried what nobody spoilt', ACCEPTED, stockOf({ a: 'dead' }), ['dead for no reason: a']],
    ['delivers twice', ACCEPTED, stockOf({ a: 'ready' }, { a: [sound, sound] }), ['found twice: a']],
    ['delivers what is completed', HANDLED, stockOf({ a: 'completed' }, { a: [{ ...sound, ran: [] }] }), ['found, but completed: a']],
    ['delivers what nobody enqueued', [], stockOf({}, { z: [sound] }), ['nobody enqueued it: z']],
    ['does not deliver what is ready', ACCEPTED, stockOf({ a: 'ready' }), ['ready, but not found: a']],
    ['has another body', ACCEPTED, stockOf({ a: 'ready' }, { a: [{ ...sound, isIntact: false }] }), ['damaged: a']],
    ['forgot an attempt', HANDLED, stockOf({ a: 'ready' }, { a: [{ ...sound, attempt: 1, ran: [] }] }), ['attempt 1 behind attempt 1: a']],
    ['forgot a step', HANDLED, stockOf({ a: 'ready' }, { a: [sound] }), ['step charge runs again: a']],
    ['has half of a batch', TWINS, stockOf({ a: 'ready', b: 'unknown' }, { a: [sound] }), ['half of a batch: a', 'lost: b']],
    ['has half of a transaction', HEIRS, stockOf({ a: 'completed', b: 'unknown' }), ['half of a transaction: a']],
    ['has the other half of it', HEIRS, stockOf({ a: 'leased', b: 'scheduled' }, { a: [{ ...sound, ran: [] }] }), ['half of a transaction: a']],
    ['does not work on', [], stockOf({}, {}, ['enqueued now, but found 0 times: n']), ['enqueued now, but found 0 times: n']],
  ])('%s', (_, facts, stock, violations) => {
    const history = historyOf(facts)
    expect(history.violations).toEqual([])
    expect(history.belied(stock)).toEqual(violations)
  })
})

describe('a life', () => {
  const completed: Fact[] = [...HANDLED, ['complete', 'a']]
  it.each<[string, Fact[], string[]]>([
    ['that is right', completed, []],
    ['in which the storage fails at last', [...completed, ['failed']], []],
    ['in which a success is told behind the failure', [...HANDLED, ['failed'], ['complete', 'a']], ['complete after the failure: a']],
    ['in which a completed message is started', [...completed, ['start', 'a', 2]], ['came back: a']],
    ['in which an attempt is counted twice', [...HANDLED, ['start', 'a', 1]], ['attempt 1 behind attempt 1: a']],
    ['in which a recorded step runs', [...HANDLED, ['run', 'a', 'charge']], ['step charge runs again: a']],
    ['in which a new id is known', [...OFFERED, ['known', 'a']], ['known before it was enqueued: a']],
    ['in which a message completes unhandled', [...ACCEPTED, ['complete', 'a']], ['completed without being handled: a']],
    ['in which one dies unspoilt', [...ACCEPTED, ['die', 'a']], ['dead for no reason: a']],
  ])('%s', (_, facts, violations) => {
    expect(historyOf(facts).violations).toEqual(violations)
  })
})
