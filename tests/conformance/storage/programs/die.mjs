// Opens the folder of its first argument and is killed right before the n-th call to the file system (second
// argument). If there are not as many, it says so and is killed then.
import { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [directory, last] = process.argv.slice(2)
let calls = 0
for (const name of ['link', 'mkdir', 'open', 'readdir', 'readFile', 'rename', 'stat', 'unlink', 'writeFile']) {
  const call = promises[name]
  promises[name] = (...args) => {
    // What the owner's identity is made of changes nothing in the folder.
    if (String(args[0]).startsWith(directory)) {
      calls += 1
      if (calls === Number(last)) process.kill(process.pid, 'SIGKILL')
    }
    return call(...args)
  }
}
syncBuiltinESMExports()

const { fileStorage } = await import('ackbox/file')
await fileStorage({ directory }).open()
process.stdout.write(`${JSON.stringify({ calls })}\n`, () => process.kill(process.pid, 'SIGKILL'))
