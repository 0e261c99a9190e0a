/** Where the cases run, and what differs there. */

/** In a browser; else in Node or its like. */
export const IN_BROWSER = globalThis.process === undefined

/** So many deaths of a tab cost a message no attempt. */
export const FREE_DEATHS = IN_BROWSER ? 20 : 0

/** The next warning that nobody listens to: Node gets it by `process.emitWarning`, a browser by `console.error`. */
export function nextWarning(): Promise<Error> {
  return new Promise((resolve) => {
    if (!IN_BROWSER) return void process.once('warning', resolve)
    const { error: original } = console
    console.error = (text) => {
      console.error = original
      resolve(new Error(text))
    }
  })
}
