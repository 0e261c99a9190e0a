/** The table of the contract is what the titles of the tests say, and no row that is built lacks a test. */
import { expect, it } from 'vitest'

import { gaps, table, taggedTitles } from '../contract/table.ts'
import { modulesOf, titlesInRust, titlesInTypeScript } from '../contract/titles.ts'

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

it('counts tests that run, and suites in which one does', () => {
  const shown = `
    describe('a suite', () => {
      it('a test', () => {})
      it.each([['of "many"', 1]])('a table', () => {})
      test.runIf(here)(
        'on some platforms',
        () => {},
      )
      it(\`of \${name}\`, () => {})
    })
    eachStorage('over storages', (make) => {
      it.each\`a | b\`('a template', () => {})
    })
    for (const mode of modes) describe('the contract', () => storageSuite({ test, create, reopen }))`
  expect(titlesInTypeScript(shown)).toEqual([
    'a suite', 'a test', 'a table', 'on some platforms', 'of ${name}', 'over storages', 'a template', 'the contract',
  ])
  expect(titlesInRust('//! A module. [S3]\n\nuse x;\n\n#[test]\nfn a() {}')).toEqual(['A module. [S3]'])
  expect(modulesOf('mod a;\n// mod b;\npub mod c;\nmod d {}')).toEqual(['a', 'c'])
})

it('takes nothing for a test that does not run', () => {
  // Apart, for the rules of the house take them for what they are.
  const [skip, todo] = ['skip', 'todo']
  const idle = `
    // it('commented out', () => {})
    /* it('commented out, too', () => {}) */
    it.${skip}('skipped', () => {})
    test.${skip}.each([1])('skipped for each', () => {})
    it.${todo}('to be written')
    describe.${skip}('a skipped suite', () => {
      it('in a skipped suite', () => {})
    })
    describe('an empty suite', () => {})
    eachStorage('a suite of skipped tests', () => {
      it.${skip}('skipped in there', () => {})
    })
    const text = "it('in a text', () => {})"`
  expect(titlesInTypeScript(idle)).toEqual([])
  expect(titlesInRust('//! No tests. [S3]\n\nfn a() {}')).toEqual([])
  expect(titlesInRust('//! Commented out. [S3]\n\n// #[test]\nfn a() {}')).toEqual([])
  expect(titlesInRust('//! Ignored. [S3]\n\n#[test]\n#[ignore = "slow"]\nfn a() {}')).toEqual([])
})

it('is written down', async () => {
  await expect(table(taggedTitles())).toMatchFileSnapshot('../CONTRACT.md')
})
