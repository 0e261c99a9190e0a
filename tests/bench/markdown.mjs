// Parts of a report in Markdown.

/** Columns under each other, the first to the left and numbers to the right. */
export function table(head, rows) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)))
  const line = (cells) => `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** A whole number for people. */
export function count(number) {
  return Math.round(number).toLocaleString('en')
}

/** Whether a target is met. */
export function verdict(met) {
  return met ? 'met' : 'MISSED'
}
