/** The package as a stranger gets it: packed, and installed beside the sources of the app. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { mustRun } from '../../../support/commands.ts'

const PACKAGE = fileURLToPath(new URL('../../../../npm/ackbox', import.meta.url))
const APP = fileURLToPath(new URL('../app', import.meta.url))

export interface Project {
  readonly folder: string
  /** Of the package, as it is served to those without a bundler. */
  readonly dist: string
  remove(): Promise<void>
}

/** A project with the app and the package in it. */
export async function project(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'ackbox-bundlers-'))
  await cp(APP, folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  // Its scripts would get in the way of another that is packed at the same time.
  const report = await mustRun('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], PACKAGE)
  const [tarball] = JSON.parse(report) as [{ filename: string }]
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
  await mustRun('npm', ['install', ...options, join(folder, tarball.filename)], folder)
  return { folder, dist: join(folder, 'node_modules/ackbox/dist/'), remove: () => rm(folder, { recursive: true, force: true }) }
}
