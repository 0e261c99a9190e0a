// What a queue kept of what it said that it has. Pure: lines of lives in, counts out.

/**
 * @param {readonly string[]} lines `accepted <id>` and `handled <id>` among others, of all lives
 * @returns {{ accepted: number, lost: number, repeated: number }}
 */
export function judge(lines) {
  const accepted = new Set()
  const handled = new Map()
  for (const line of lines) {
    const [kind, id] = line.split(' ')
    if (kind === 'accepted') accepted.add(id)
    if (kind === 'handled') handled.set(id, (handled.get(id) ?? 0) + 1)
  }
  const lost = [...accepted].filter((id) => !handled.has(id)).length
  const repeated = [...handled.values()].filter((count) => count > 1).length
  return { accepted: accepted.size, lost, repeated }
}

/** The sum over rounds. */
export function sum(results) {
  const add = (name) => results.reduce((total, result) => total + result[name], 0)
  return { accepted: add('accepted'), lost: add('lost'), repeated: add('repeated') }
}
