// What is seen while the demo runs: one live line on a terminal, a plain line now and then elsewhere.

const LIVE_MS = 100
const PLAIN_MS = 2_000

/** Shows `describe()` until `stop()`; `say(text)` prints a line of its own in between. */
export function startProgress(describe, out = process.stdout) {
  const live = out.isTTY === true
  const erase = live ? '\r\x1b[2K' : ''
  const show = () => out.write(live ? erase + describe().slice(0, (out.columns || 80) - 1) : `${describe()}\n`)
  const timer = setInterval(show, live ? LIVE_MS : PLAIN_MS)
  return {
    say(text) {
      out.write(`${erase}${text}\n`)
      if (live) show()
    },
    stop() {
      clearInterval(timer)
      show()
      if (live) out.write('\n')
    },
  }
}
