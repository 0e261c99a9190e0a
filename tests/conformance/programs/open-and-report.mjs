// Opens a box, enqueues, and reports what came of it as one line of JSON. Usage: open-and-report.mjs <folder> [<options as JSON>]
import { open } from 'ackbox'

try {
  const [folder, options = '{}'] = process.argv.slice(2)
  const opening = open(folder, JSON.parse(options))
  console.log('opening')
  const box = await opening
  const receipt = await box.queue('jobs').enqueue(1)
  await box.close()
  console.log(JSON.stringify({ status: receipt.status, engine: box.engine }))
} catch ({ code, message, details }) {
  console.log(JSON.stringify({ code, message, details }))
}
