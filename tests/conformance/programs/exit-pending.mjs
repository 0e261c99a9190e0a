// Leaves while an enqueue is not durable yet. Usage: exit-pending.mjs <folder>
import { open } from 'ackbox'

const box = await open(process.argv[2])
box
  .queue('jobs')
  .enqueue(1)
  .then(({ status }) => console.log(status))
