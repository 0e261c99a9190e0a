/** The package as a stranger gets it: packed, installed outside the repository, and used. */
import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { mustRun, run, TSC } from '../support/commands.ts'

const PACKAGE = fileURLToPath(new URL('../../npm/ackbox', import.meta.url))
const SOURCES = fileURLToPath(new URL('project', import.meta.url))
const TYPES = fileURLToPath(new URL('../node_modules/@types', import.meta.url))

let folder: string
let project: string
let packed: string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ackbox-packaging-'))
  project = join(folder, 'project')
  await cp(SOURCES, project, { recursive: true })
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }))
  const report = await mustRun('npm', ['pack', '--json', '--pack-destination', folder], PACKAGE)
  const [tarball] = JSON.parse(report) as [{ filename: string; files: { path: string }[] }]
  packed = tarball.files.map(({ path }) => path)
  await mustRun(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', join(folder, tarball.filename)],
    project,
  )
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** The environment of a user who forces nothing. */
const ENV = { ACKBOX_ENGINE: undefined }

async function node(script: string, env: NodeJS.ProcessEnv = ENV): Promise<string[]> {
  return (await mustRun(process.execPath, [script], project, env)).trimEnd().split('\n')
}

/** Compiles the project's types.ts with `tsc --strict`, libraries included; resolves with what is wrong. */
async function compile(options: Record<string, unknown>): Promise<string> {
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2023', ...options }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.ts'] }))
  return (await run(process.execPath, [TSC, '-p', '.'], project)).stdout
}

/** Runs something while a folder of the installed package is away. */
async function without(part: 'native' | 'wasm', action: () => Promise<void>): Promise<void> {
  const path = join(project, 'node_modules', 'ackbox', 'dist', part)
  await rename(path, `${path}-away`)
  try {
    await action()
  } finally {
    await rename(`${path}-away`, path)
  }
}

describe('the packed files', () => {
  it('are the build, the declarations, both engines, and the texts that belong to a package', () => {
    expect(packed).toEqual(expect.arrayContaining(['package.json', 'LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts']))
    expect(packed.filter((path) => /^dist\/native\/.*\.node$/.test(path))).not.toEqual([])
    expect(packed.filter((path) => /^dist\/wasm\/.*\.wasm$/.test(path))).not.toEqual([])
  })

  it('are no sources, tests or settings', () => {
    expect(packed.filter((path) => /\.test\.|(?<!\.d)\.ts$|tsconfig|tsbuildinfo|^src\//.test(path))).toEqual([])
  })

  it('have nothing that publint complains about', async () => {
    const { messages, pkg } = await publint({ pkgDir: join(project, 'node_modules', 'ackbox'), strict: true, pack: false })
    expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([])
  })
})

describe('with the native addon', () => {
  it('import works', async () => {
    expect(await node('use.mjs')).toEqual(['handled o-1', 'true', 'native'])
  })

  it('require works', async () => {
    expect(await node('use.cjs')).toEqual(['handled o-1', 'native'])
  })

  it('WebAssembly can be forced', async () => {
    expect(await node('use.mjs', { ACKBOX_ENGINE: 'wasm' })).toEqual(['handled o-1', 'true', 'wasm'])
  })
})

describe('without the native addon', () => {
  it('import and require run on WebAssembly', async () => {
    await without('native', async () => {
      expect(await node('use.mjs')).toEqual(['handled o-1', 'true', 'wasm'])
      expect(await node('use.cjs')).toEqual(['handled o-1', 'wasm'])
    })
  })

  it('forcing it fails loudly', async () => {
    await without('native', async () => {
      const { code, stderr } = await run(process.execPath, ['use.mjs'], project, { ACKBOX_ENGINE: 'native' })
      expect(code).not.toBe(0)
      expect(stderr).toMatch(/ERR_ENGINE|ERR_UNSUPPORTED|ERR_UNAVAILABLE/)
      expect(stderr).toMatch(/native/)
    })
  })
})

describe('without the WebAssembly', () => {
  it('the native addon runs, and forcing WebAssembly fails loudly', async () => {
    await without('wasm', async () => {
      expect(await node('use.mjs')).toEqual(['handled o-1', 'true', 'native'])
      const { code, stderr } = await run(process.execPath, ['use.mjs'], project, { ACKBOX_ENGINE: 'wasm' })
      expect(code).not.toBe(0)
      expect(stderr).toMatch(/wasm|WebAssembly/)
    })
  })
})

describe('the declarations', () => {
  it('compile under tsc --strict with the types of Node', async () => {
    await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
    await symlink(join(TYPES, 'node'), join(project, 'node_modules', '@types', 'node'))
    const lib = ['es2023', 'esnext.disposable']
    expect(await compile({ module: 'nodenext', lib, types: ['node'] })).toBe('')
  })

  it('compile under tsc --strict with the types of a browser', async () => {
    const lib = ['es2023', 'esnext.disposable', 'dom']
    expect(await compile({ module: 'esnext', moduleResolution: 'bundler', lib, types: [] })).toBe('')
  })

  it('are there for everything that is exported', async () => {
    const dist = join(project, 'node_modules', 'ackbox', 'dist')
    // What is made of other files, and what pages load by its address: no import by name reaches them.
    const files = (await readdir(dist, { recursive: true })).filter((path) => !/^(wasm|web)\//.test(path))
    const undeclared = files
      .filter((path) => path.endsWith('.js') && !files.includes(path.replace(/\.js$/, '.d.ts')))
    expect(undeclared).toEqual([])
  })
})
