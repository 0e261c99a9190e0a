/// <reference types="vite/types/importMeta.d.ts" />
/** What of the conformance suite does not run in a browser, each file counted as one that was skipped. */
import { describe, expect, it } from 'vitest'

import { IN_BROWSER } from '../conformance/support/platform.ts'
import { LEFT_OUT } from './left-out.ts'

describe('files that are left out', () => {
  it('exist', () => {
    const files = Object.keys(import.meta.glob('../conformance/{cases,storage}/*.test.ts'))
    expect(files).toEqual(expect.arrayContaining(Object.keys(LEFT_OUT).map((file) => `../${file}`)))
  })

  it.skipIf(IN_BROWSER).each(Object.entries(LEFT_OUT))('%s: %s', () => {})
})
