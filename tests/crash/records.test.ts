/** The kill tests find each kind of wrong in what programs said, and nothing in what is right. */
import { describe, expect, it } from 'vitest'

import { ConsumerRecord, ProducerRecord } from './records.ts'

const LEFT = 'left {"ready":0,"scheduled":0,"leased":0,"deadLetters":0}'

describe('lives of a producer', () => {
  it.each<[string, string[][], string[]]>([
    [
      'that are right',
      [
        [LEFT, 'accepted a', 'accepted b=', 'accepted b=+'],
        ['found a true', 'found unheard-of true', 'found b= true', 'found b=+ true', LEFT, 'accepted c'],
        ['found c true', LEFT],
      ],
      [],
    ],
    ['that lost a receipt', [[LEFT, 'accepted a', 'accepted b'], ['found a true', LEFT]], ['lost in life 2: b']],
    ['that found one twice', [[LEFT, 'accepted a'], ['found a true', 'found a true', LEFT]], ['found twice in life 2: a']],
    [
      'in which one comes back',
      [[LEFT, 'accepted a'], ['found a true', LEFT], ['found a true', LEFT]],
      ['came back in life 3: a'],
    ],
    ['that found another body', [[LEFT], ['found a false', LEFT]], ['damaged in life 2: a']],
    [
      'that found the first half of a batch',
      [[LEFT], ['found a= true', LEFT]],
      ['half of a batch in life 2: a='],
    ],
    [
      'that found the second half of a batch',
      [[LEFT], ['found a=+ true', LEFT]],
      ['half of a batch in life 2: a=+'],
    ],
    ['that knew a new id', [[LEFT, 'duplicate a']], ['known before it was enqueued in life 1: a']],
    ['that left something', [[LEFT.replace('"leased":0', '"leased":1')]], [expect.stringContaining('"leased":1')]],
    ['that never came to the end of what was left', [['found a true']], ['left in life 1: nothing said']],
  ])('%s', (_, lives, violations) => {
    const record = new ProducerRecord()
    for (const said of lives) record.take(said)
    expect(record.violations).toEqual(violations)
  })
})

describe('lives of a consumer', () => {
  const whole = (id: string, attempt = 1): string[] => [`started ${id} ${attempt}`, `handled ${id} ${attempt}`, `completed ${id}`]

  it.each<[string, string[][], string[], string[]]>([
    [
      'that are right',
      [['accepted a', ...whole('a'), 'accepted b', 'started b 1', 'accepted c'], ['started b 3', 'handled b 3', 'accepted d'], ['started c 2']],
      ['found c true', 'found d true', LEFT],
      [],
    ],
    ['that lost what was accepted', [['accepted a']], [LEFT], ['lost in life 1: a']],
    ['that lost what was started', [['accepted a', 'started a 1']], [LEFT], ['lost in life 1: a']],
    ['in which a completed one is delivered again', [whole('a'), ['started a 2']], [LEFT], ['came back in life 2: a']],
    ['in which a completed one is left', [whole('a')], ['found a true', LEFT], ['came back in life 1: a']],
    ['in which one is completed twice', [[...whole('a'), 'completed a']], [LEFT], ['completed twice in life 1: a']],
    ['in which one is completed unhandled', [['completed a']], [LEFT], ['completed without being handled in life 1: a']],
    [
      'that forgot an attempt',
      [['started a 1'], ['started a 1', 'handled a 1']],
      [LEFT],
      ['attempt 1 behind attempt 1 in life 2: a'],
    ],
    [
      'that counted more attempts than deaths explain',
      [['started a 1'], ['started a 4', 'handled a 4']],
      [LEFT],
      ['attempt 4 behind attempt 1 in life 2: a'],
    ],
    [
      'in which a first attempt is not the first',
      [['accepted a', ...whole('a', 2)]],
      [LEFT],
      ['attempt 2 behind attempt 0 in life 1: a'],
    ],
    ['that knew a new id', [['duplicate a']], [LEFT], ['known before it was enqueued in life 1: a']],
    ['that left one twice', [], ['found a true', 'found a true', LEFT], ['found twice in life 0: a']],
    ['that left more than was found', [], [LEFT.replace('"ready":0', '"ready":1')], [expect.stringContaining('"ready":1')]],
  ])('%s', (_, lives, end, violations) => {
    const record = new ConsumerRecord()
    for (const said of lives) record.take(said)
    record.end(end)
    expect(record.violations).toEqual(violations)
  })

  it.each<[string, string[], string[]]>([
    ['that are right', ['result a completed true', 'result b completed true'], []],
    ['of which one is gone', ['result a completed true', 'result b unknown false'], ["result 'unknown false' in life 1: b"]],
    ['of which one is another', ['result a completed false', 'result b completed true'], ["result 'completed false' in life 1: a"]],
    ['of which one is not told', ['result a completed true'], ["result 'not told' in life 1: b"]],
  ])('results %s', (_, said, violations) => {
    const record = new ConsumerRecord()
    record.take([...whole('a'), ...whole('b')])
    record.results(said)
    expect(record.violations).toEqual(violations)
  })
})
