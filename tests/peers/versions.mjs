// Which version of a package is installed here; not every package lets its own package.json be imported.
import { readFileSync } from 'node:fs'

/** @param {string} name of a package in this folder's node_modules */
export function versionOf(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
