/** The judge of other queues counts what was lost and what came twice. */
import { expect, it } from 'vitest'

import { judge, sum } from './judge.mjs'

it.each([
  ['nothing', ['accepted a', 'handled a'], { accepted: 1, lost: 0, repeated: 0 }],
  ['one that was lost', ['accepted a', 'accepted b', 'handled a'], { accepted: 2, lost: 1, repeated: 0 }],
  ['one that came twice', ['accepted a', 'handled a', 'handled a'], { accepted: 1, lost: 0, repeated: 1 }],
  ['one that was handled before it was told that it is accepted', ['handled a'], { accepted: 0, lost: 0, repeated: 0 }],
])('finds %s', (_, lines, counts) => {
  expect(judge(lines)).toEqual(counts)
})

it('rounds add up', () => {
  const round = { accepted: 3, lost: 1, repeated: 2 }
  expect(sum([round, round])).toEqual({ accepted: 6, lost: 2, repeated: 4 })
})
