/** Before the tests: lives of boxes on the native engine, in Node, for the engine in Chromium to be compared with. */
import type { TestProject } from 'vitest/node'

import { type Life, live, origin } from '../conformance/support/life.ts'

/** A life as JSON keeps it, and the bytes that it began with. */
export interface RecordedLife extends Life {
  readonly seed: number
  /** Segments with their bytes in Base64. */
  readonly origin: readonly (readonly [segment: number, bytes: string])[]
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly nativeLives: readonly RecordedLife[]
  }
}

export default async function setup({ provide }: TestProject): Promise<void> {
  const lives: RecordedLife[] = []
  for (const seed of [1, 2]) {
    const first = await origin('native', seed)
    const segments = first.segments.map((segment) => [segment, first.content(segment).toString('base64')] as const)
    lives.push({ ...(await live('native', first.copy(), seed)), seed, origin: segments })
  }
  provide('nativeLives', JSON.parse(JSON.stringify(lives)) as RecordedLife[])
}
