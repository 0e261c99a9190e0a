/** The table of the contract is what the titles of the tests say, and no row that is built lacks a test. */
import { expect, it } from 'vitest'

import { gaps, table, taggedTitles } from '../contract/table.ts'

it('names a test for each row of the contract', () => {
  expect(gaps(taggedTitles())).toEqual([])
})

it('finds a row without a test, and a tag without a row', () => {
  const titles = taggedTitles().filter(({ keys }) => !keys.includes('S3'))
  expect(gaps([...titles, { file: 'a.test.ts', text: 'a', keys: ['S99'] }])).toEqual([
    'no test names [S3]',
    "a.test.ts: 'a' names [S99], which is no row",
  ])
})

it('is written down', async () => {
  await expect(table(taggedTitles())).toMatchFileSnapshot('../CONTRACT.md')
})
