/** Sites in Chromium, seen from Node: plain pages, bundlers, tabs. */
import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    name: 'pages',
    include: ['browser/pages/*.test.ts'],
    pool: 'forks',
    // By default one core is left idle.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
