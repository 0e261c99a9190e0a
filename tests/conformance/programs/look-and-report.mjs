// Looks at a box and reports what it holds as one line of JSON. Usage: look-and-report.mjs <folder>
import { open } from 'ackbox'

try {
  const box = await open(process.argv[2], { readOnly: true })
  const messages = await box.queue('jobs').peek()
  console.log(JSON.stringify({ ids: messages.map(({ id }) => id) }))
  await box.close()
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }))
}
