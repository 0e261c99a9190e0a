// Opens a box, says so and keeps it until it is killed. Usage: hold.mjs <folder>
import { open } from 'ackbox'

const box = await open(process.argv[2])
box.queue('jobs').process(() => {})
console.log(`open ${box.engine}`)
