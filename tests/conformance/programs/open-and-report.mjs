// Opens a box, enqueues, and reports what came of it as one line of JSON. Usage: open-and-report.mjs <folder>
import { open } from 'ackbox'

try {
  const box = await open(process.argv[2])
  const receipt = await box.queue('jobs').enqueue(1)
  await box.close()
  console.log(JSON.stringify({ status: receipt.status, engine: box.engine }))
} catch ({ code, message, details }) {
  console.log(JSON.stringify({ code, message, details }))
}
