// Opens boxes where nobody says where, or says so relatively, in the working directory. Usage: default-target.mjs
import { existsSync } from 'node:fs'
import { open } from 'ackbox'

for (const target of [undefined, 'relative/box']) {
  const box = await open(target)
  await box.queue('jobs').enqueue(1)
  await box.close()
}
console.log(JSON.stringify({ nothing: existsSync('.ackbox'), relative: existsSync('relative/box') }))
