// Whether the method can fail: a copy of the image must miss what was never flushed, and a box that promises less than to
// survive a power cut must be found out.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { copyAtOnce, discardImage, makeImage, mountImage } from './image.mjs'

const FLUSHED = 'flushed'.repeat(1_000)

/** Writes two files, flushes one, copies the image: only that one may be in the copy, and it must. Gives what was otherwise. */
export function probeCopies(folder, data) {
  const [image, copy] = [join(folder, 'probe.image'), join(folder, 'probe-copy.image')]
  const [place, copyPlace] = [join(folder, 'probe'), join(folder, 'probe-copy')]
  makeImage(image)
  mountImage(image, place, data)
  mkdirSync(join(place, 'inner'))
  write(join(place, 'inner', 'flushed'), FLUSHED, true)
  write(join(place, 'inner', 'not flushed'), FLUSHED, false)
  const problems = copyAtOnce(image, place, copy) ? [] : ['the device was written while nobody wrote']
  mountImage(copy, copyPlace, data)
  if (read(join(copyPlace, 'inner', 'flushed')) !== FLUSHED) problems.push('what was flushed is not in the copy')
  if (read(join(copyPlace, 'inner', 'not flushed')) === FLUSHED) problems.push('what was not flushed is in the copy')
  discardImage(copy, copyPlace)
  discardImage(image, place)
  return problems
}

function write(path, text, flushed) {
  const file = openSync(path, 'w')
  writeSync(file, text)
  if (flushed) fsyncSync(file)
  closeSync(file)
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** What `'process-crash'` allows a power cut to do: to take the last that was reported. Anything else is damage. */
export function isLoss(violation) {
  return /^(lost|(completed|dead|cancelled), but now|attempt \d+ behind|step \w+ runs again)/.test(violation)
}
