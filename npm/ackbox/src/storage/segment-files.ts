/** How the file storage names its files: one for each segment, by its number. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The file of a segment. */
export function segmentPath(directory: string, segment: number): string {
  return join(directory, nameOf(segment))
}

/** The segments that a folder has files of, in order. Other files are none of our business. */
export async function segmentsIn(directory: string): Promise<number[]> {
  const segments: number[] = []
  for (const name of await readdir(directory)) {
    const segment = Number.parseInt(name, 10)
    if (segment > 0 && name === nameOf(segment)) segments.push(segment)
  }
  return segments.sort((a, b) => a - b)
}

/** Eight digits sort by name as by number for longer than anyone will look into such a folder. */
function nameOf(segment: number): string {
  return `${String(segment).padStart(8, '0')}.ackbox`
}
