// Chromium with a profile on the disk, and the ways in which a tab of it dies.
import { chromium } from 'playwright'

export class Browser {
  #folder
  #program
  #context
  /** The processes of the tab that was opened last. */
  #renderers = []

  constructor(folder, program) {
    this.#folder = folder
    this.#program = program
  }

  /** A new tab, in a new browser if there is none. */
  async open(url) {
    if (this.#context === undefined) await this.#start()
    const before = await this.#processes('renderer')
    const page = await this.#context.newPage()
    await page.goto(url)
    const after = await this.#processes('renderer')
    this.#renderers = after.filter((id) => !before.includes(id))
    return page
  }

  async close() {
    await this.#context?.close()
  }

  async #start() {
    const context = await chromium.launchPersistentContext(this.#folder, {
      executablePath: this.#program,
      args: [
        ...['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
        // Each tab begins with a process of its own, by which it is known.
        '--disable-features=SpareRendererForSitePerProcess',
      ],
    })
    context.once('close', () => (this.#context = undefined))
    this.#context = context
  }

  /** What kills a tab, each by the name of it. Each resolves when the tab is gone. */
  ways = {
    'its process crashed': async (page) => {
      const crashed = new Promise((resolve) => page.once('crash', resolve))
      const session = await this.#context.newCDPSession(page)
      // Nobody is left to answer.
      void session.send('Page.crash').catch(() => {})
      await crashed
      await page.close()
    },
    'its process was killed': async (page) => {
      const crashed = new Promise((resolve) => page.once('crash', resolve))
      for (const id of this.#renderers) process.kill(id, 'SIGKILL')
      await crashed
      await page.close()
    },
    'it was closed': (page) => page.close({ runBeforeUnload: false }),
    'the browser was killed': async () => {
      const gone = new Promise((resolve) => this.#context.once('close', resolve))
      for (const id of await this.#processes('browser')) process.kill(id, 'SIGKILL')
      await gone
    },
  }

  async #processes(wanted) {
    const session = await this.#context.browser().newBrowserCDPSession()
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    await session.detach()
    return processInfo.filter(({ type }) => type === wanted).map(({ id }) => id)
  }
}
