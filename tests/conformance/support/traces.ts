/** Recorded traces and vectors of the engine's own tests: bundled, so that they are there in a browser too. */
/// <reference types="vite/types/importMeta.d.ts" />

export const BACKOFF = only(
  import.meta.glob<unknown>('../../../crates/core/testdata/backoff/vectors.json', { eager: true, import: 'default' }),
)
/** Contents by names of files. */
export const BREAKER = byName(
  import.meta.glob<unknown>('../../../crates/core/testdata/breaker/*.json', { eager: true, import: 'default' }),
)
export const BUDGET = byName(
  import.meta.glob<unknown>('../../../crates/core/testdata/budget/*.json', { eager: true, import: 'default' }),
)

function byName(files: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [path.slice(path.lastIndexOf('/') + 1), content]))
}

function only(files: Readonly<Record<string, unknown>>): unknown {
  const [content, ...more] = Object.values(files)
  if (content === undefined || more.length > 0) throw new Error(`expected one file, found ${Object.keys(files).join()}`)
  return content
}
