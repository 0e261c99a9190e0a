// Chromium with a profile on a disk, which can be killed and stopped with all its processes.
import { readdirSync, readFileSync } from 'node:fs'

import { chromium } from 'playwright'

const ARGS = [
  ...['--no-sandbox', '--disable-background-networking', '--disable-component-update'],
  // What a profile holds beside the queue is kept small, for small disks.
  ...['--disk-cache-size=1', '--disable-gpu-shader-disk-cache'],
]

export class Browser {
  #context
  #process
  #session
  #isGone = false
  #registrations = new Map()

  /** Opens the site in a browser over a profile that another one may have left; rejects if the site cannot start in it. */
  static async open(profile, origin, program) {
    const browser = new Browser(origin)
    browser.#context = await chromium.launchPersistentContext(profile, { executablePath: program, args: ARGS })
    browser.#context.once('close', () => (browser.#isGone = true))
    browser.#process = await browser.#findProcess()
    try {
      await browser.#visit()
      return browser
    } catch (error) {
      await browser.close()
      throw error
    }
  }

  constructor(origin) {
    this.origin = origin
  }

  async #visit() {
    this.page = await this.#context.newPage()
    this.#session = await this.#context.newCDPSession(this.page)
    this.#session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      for (const { registrationId, scopeURL, isDeleted } of registrations) if (!isDeleted) this.#registrations.set(scopeURL, registrationId)
    })
    await this.#session.send('ServiceWorker.enable')
    const broken = new Promise((_, reject) => this.page.once('pageerror', reject))
    await this.page.goto(this.origin)
    await Promise.race([broken, this.page.waitForFunction(() => 'askQueue' in globalThis)])
  }

  /** What the browser does when it thinks that there is a network again. */
  async sync(tag) {
    const registrationId = this.#registrations.get(`${this.origin}/`)
    await this.#session.send('ServiceWorker.dispatchSyncEvent', { origin: this.origin, registrationId, tag, lastChance: false })
  }

  /** Lets the site keep so many bytes, until the browser is closed. */
  async limit(bytes) {
    await this.#session.send('Storage.overrideQuotaForOrigin', { origin: this.origin, quotaSize: bytes })
  }

  async close() {
    await this.#context.close()
  }

  stop() {
    signal(familyOf(this.#process), 'SIGSTOP')
  }

  goOn() {
    signal(familyOf(this.#process), 'SIGCONT')
  }

  /** Ends at once, if it has not ended. */
  async kill() {
    if (this.#isGone) return
    const gone = new Promise((resolve) => this.#context.once('close', resolve))
    signal(familyOf(this.#process), 'SIGKILL')
    await gone
  }

  async #findProcess() {
    const session = await this.#context.browser().newBrowserCDPSession()
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    await session.detach()
    return processInfo.find(({ type }) => type === 'browser').id
  }
}

function signal(processes, name) {
  for (const id of processes) {
    try {
      process.kill(id, name)
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}

/** A process and all that it has started, itself first. */
function familyOf(root) {
  const parents = new Map()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name)
    if (parent !== undefined) parents.set(Number(name), parent)
  }
  const family = [root]
  for (const member of family) for (const [child, parent] of parents) if (parent === member) family.push(child)
  return family
}

function parentOf(name) {
  try {
    // Behind the program's name, which may hold anything: the state, and the parent.
    return Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1).split(' ')[1])
  } catch {
    // It has ended meanwhile.
    return undefined
  }
}
