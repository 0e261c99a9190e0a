// Asks what became of messages. As a program: results.mjs <folder> <file with an id in each line> <queue>
// Prints `result <id> <state> <intact>` for each, where <intact> says whether the result is the one of that id.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

import { open } from 'ackbox'

import { placeAt } from './place.mjs'

// What the handler of the message with this id gives. Some are large, so that records differ in size.
export function resultOf(id) {
  return { of: id, text: id.repeat(id.length % 3 === 0 ? 100 : 1) }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, file, name = 'jobs'] = process.argv.slice(2)
  const box = await open(placeAt(folder))
  const queue = box.queue(name)
  for (const id of readFileSync(file, 'utf8').split('\n').filter((line) => line !== '')) {
    // A message that is not known would be waited for.
    const { state = 'unknown', result } = (await queue.get(id)) ?? {}
    console.log(`result ${id} ${state} ${JSON.stringify(result) === JSON.stringify(resultOf(id))}`)
  }
  await box.close()
}
