/**
 * The conformance suite in Chromium: the engine is WebAssembly, the storages are those of browsers, on the disk.
 *
 * `ACKBOX_CHROMIUM` names the browser's program. Databases live in a profile that is made for the run.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'

import { LEFT_OUT } from './left-out.ts'
import { loopbackCommands } from './loopback-commands.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const profile = mkdtempSync(join(tmpdir(), 'ackbox-chromium-'))
process.once('exit', () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  cacheDir: join(profile, 'vite'),
  // As it ships: the package is not bundled, so it finds its WebAssembly beside it.
  optimizeDeps: { exclude: ['ackbox'], include: ['buffer/', 'ackbox > idb'] },
  resolve: { alias: { 'ackbox/file': fileURLToPath(new URL('no-files.ts', import.meta.url)) } },
  server: { fs: { allow: [ROOT] } },
  test: {
    name: 'chromium',
    include: ['conformance/cases/**/*.test.ts', 'conformance/storage/*.test.ts', 'browser/*.test.ts'],
    exclude: Object.keys(LEFT_OUT),
    globalSetup: ['browser/native-lives.ts'],
    setupFiles: ['browser/setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      isolate: false,
      screenshotFailures: false,
      api: { host: '127.0.0.1' },
      commands: loopbackCommands,
      provider: playwright({
        launchOptions: {
          executablePath: process.env['ACKBOX_CHROMIUM'] ?? '/usr/bin/chromium',
          args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
        },
        persistentContext: join(profile, 'chromium'),
      }),
      instances: [{ browser: 'chromium' }],
    },
  },
})
