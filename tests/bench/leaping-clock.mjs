// The real time, which can be moved on at once.

/** A clock of ackbox with `leap(ms)`: so much time passes now, and what falls due by that fires. */
export function leapingClock() {
  let ahead = 0
  const timers = new Set()
  const now = () => Math.floor(performance.timeOrigin + performance.now() + ahead)

  function arm(timer) {
    timer.id = setTimeout(() => {
      timers.delete(timer)
      timer.fn()
    }, Math.max(0, timer.at - now()))
    if (!timer.isHeld) timer.id.unref()
  }

  return {
    now,
    setTimeout(fn, ms) {
      const timer = { fn, at: now() + ms, isHeld: true, ref: () => hold(timer, true), unref: () => hold(timer, false) }
      timers.add(timer)
      arm(timer)
      return timer
    },
    clearTimeout(timer) {
      timers.delete(timer)
      clearTimeout(timer.id)
    },
    leap(ms) {
      ahead += ms
      for (const timer of timers) {
        clearTimeout(timer.id)
        arm(timer)
      }
    },
  }

  function hold(timer, isHeld) {
    timer.isHeld = isHeld
    if (isHeld) timer.id.ref()
    else timer.id.unref()
  }
}
