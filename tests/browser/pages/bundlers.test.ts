/** The packed package through the bundlers that people use, loaded in a page, a worker and a service worker. */
import { mkdir, copyFile } from 'node:fs/promises'
import { join } from 'node:path'

import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build as esbuild } from 'esbuild'
import { rollup } from 'rollup'
import { build as viteBuild, createServer, type InlineConfig } from 'vite'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import webpack from 'webpack'

import { useChromium } from './support/chromium.ts'
import { project, type Project } from './support/packed.ts'
import { worksEverywhere } from './support/places.ts'
import { site } from './support/site.ts'

/** Scripts of the app, by the name under which the page finds them. */
const SCRIPTS = ['page', 'worker', 'service-worker'] as const
/** Of these, what bundlers find by themselves that know how workers are started. */
const ENTRIES = ['page', 'service-worker'] as const

let app: Project
beforeAll(async () => {
  app = await project()
})
afterAll(() => app.remove())

const newPage = useChromium()

/** What a bundler makes of the app: scripts into a folder. */
type Bundle = (folder: string, out: string) => Promise<void>

const source = (folder: string, name: string): string => join(folder, `${name}.js`)

const quiet: InlineConfig = { configFile: false, logLevel: 'error' }

const BUNDLERS: Record<string, Bundle> = {
  async 'Vite (build)'(folder, outDir) {
    for (const name of ENTRIES) {
      const output = { entryFileNames: `${name}.js` }
      const build = { outDir, emptyOutDir: false, rollupOptions: { input: source(folder, name), output } }
      await viteBuild({ ...quiet, root: folder, build, worker: { format: 'es' } })
    }
  },

  async esbuild(folder, outdir) {
    const common = { bundle: true, format: 'esm', minify: true, logLevel: 'error', outdir } as const
    const lazy = ['page', 'worker'].map((name) => source(folder, name))
    await esbuild({ ...common, entryPoints: lazy, splitting: true })
    await esbuild({ ...common, entryPoints: [source(folder, 'service-worker')] })
  },

  async Rollup(folder, dir) {
    for (const name of SCRIPTS) {
      const bundle = await rollup({ input: source(folder, name), plugins: [nodeResolve({ browser: true })] })
      await bundle.write({ dir, format: 'es', entryFileNames: `${name}.js` })
      await bundle.close()
    }
  },

  async webpack(folder, path) {
    for (const name of ENTRIES) {
      const compiler = webpack({
        mode: 'production',
        context: folder,
        entry: { [name]: source(folder, name) },
        target: name === 'page' ? 'web' : 'webworker',
        experiments: { outputModule: true },
        output: { path, filename: '[name].js', module: true, chunkFormat: 'module', publicPath: '/' },
        optimization: { minimize: false },
        performance: false,
      })
      await new Promise<void>((resolve, reject) => {
        compiler.run((error, stats) => {
          const failure = error ?? (stats?.hasErrors() ? new Error(stats.toString('errors-only')) : undefined)
          compiler.close(() => (failure === undefined ? resolve() : reject(failure)))
        })
      })
    }
  },
}

describe('through a bundler', () => {
  it.each(Object.entries(BUNDLERS))('%s', async (name, bundle) => {
    const out = join(app.folder, `out-${name.replace(/\W+/g, '-')}`)
    await mkdir(out, { recursive: true })
    await bundle(app.folder, out)
    await copyFile(join(app.folder, 'index.html'), join(out, 'index.html'))
    const page = await newPage()
    await page.goto(`${await site({ folders: { '/': `${out}/` } })}/index.html`)
    await worksEverywhere(page)
  })

  it('Vite (dev)', async () => {
    const server = await createServer({ ...quiet, root: app.folder, server: { host: '127.0.0.1', port: 0, hmr: false } })
    onTestFinished(() => server.close())
    await server.listen()
    const page = await newPage()
    const { port } = server.httpServer!.address() as { port: number }
    await page.goto(`http://127.0.0.1:${port}/index.html`)
    await worksEverywhere(page)
    expect(server.config.command).toBe('serve')
  })
})
