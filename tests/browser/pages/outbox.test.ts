/** The example `browser-outbox` keeps what it promises, and everybody can use it. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import axe from 'axe-core'
import type { Page } from 'playwright'
import { describe, expect, it } from 'vitest'

import { useProfile } from './support/chromium.ts'
import { Desk, has, Shop } from './support/outbox.ts'

const newPage = useProfile()

async function openDesk(): Promise<{ shop: Shop; desk: Desk }> {
  const shop = await Shop.open()
  const page = await newPage()
  return { shop, desk: await Desk.open(page.context(), shop.url) }
}

/** A picture of the page in the folder that `ACKBOX_PICTURES` names, if it names one. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['ACKBOX_PICTURES']
  if (folder === undefined) return
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

describe('orders that are placed offline', () => {
  it('outlive a reload and their tab, and arrive once', async () => {
    const { shop, desk } = await openDesk()
    await desk.offline.check()
    await desk.order('Oolong', 2)
    await desk.order('Sencha', 1)
    await desk.reload()
    await has(desk.outbox, 2)
    const context = desk.page.context()
    await desk.page.close()
    const again = await Desk.open(context, shop.url)
    expect(await again.offline.isChecked()).toBe(true)
    expect(await again.outbox.allInnerTexts()).toEqual([expect.stringContaining('2 × Oolong'), expect.stringContaining('1 × Sencha')])
    expect(await shop.taken()).toEqual([])
    await picture(again.page, 'offline')
    await again.offline.uncheck()
    await has(again.taken, 2)
    await has(again.outbox, 0)
    expect((await shop.taken()).sort()).toEqual(['1 × Sencha', '2 × Oolong'])
  })

  it('and whose service is gone, page and all, wait until it is back', async () => {
    const { shop, desk } = await openDesk()
    await desk.page.evaluate(() => navigator.serviceWorker.ready)
    await shop.stop()
    await desk.order('Darjeeling', 3)
    await desk.page.getByText('The service does not answer').waitFor()
    await desk.reload()
    await has(desk.outbox, 1)
    await shop.start()
    await has(desk.taken, 1)
    expect(await shop.taken()).toEqual(['3 × Darjeeling'])
  })
})

describe('a service that misbehaves', () => {
  it('forgets its answers: it is asked again, and has each order once', async () => {
    const { shop, desk } = await openDesk()
    await desk.serviceIs('forgetful')
    await desk.order('Sencha', 4)
    await desk.taken.getByText('asked 2 times, taken once').waitFor()
    await has(desk.outbox, 0)
    expect(await shop.taken()).toEqual(['4 × Sencha'])
  })

  it('is down: the circuit opens, and closes when it is back', async () => {
    const { shop, desk } = await openDesk()
    await desk.serviceIs('down')
    for (const packs of [1, 2, 3, 4]) await desk.order('Oolong', packs)
    await desk.circuit.getByText('Circuit open').waitFor()
    await picture(desk.page, 'circuit-open')
    await desk.serviceIs('well')
    await desk.circuit.getByText('Circuit closed').waitFor()
    await has(desk.taken, 4)
    expect((await shop.taken()).sort()).toEqual(['1 × Oolong', '2 × Oolong', '3 × Oolong', '4 × Oolong'])
  })

  it('refuses: orders are dead letters until they are sent again', async () => {
    const { shop, desk } = await openDesk()
    await desk.serviceIs('strict')
    for (const packs of [1, 2, 3]) await desk.order('Lapsang Souchong', packs)
    await has(desk.refused, 3)
    expect(await desk.refused.first().innerText()).toMatch(/permanent: .*422.*we do not deliver to this address/)
    await desk.serviceIs('well')
    await desk.page.getByRole('button', { name: 'Forget: 1 × Lapsang Souchong' }).click()
    await desk.page.getByRole('button', { name: 'Send again: 2 × Lapsang Souchong' }).click()
    await has(desk.taken, 1)
    await desk.page.getByRole('button', { name: 'Send all again' }).click()
    await has(desk.taken, 2)
    expect(await shop.taken()).toEqual(['2 × Lapsang Souchong', '3 × Lapsang Souchong'])
    expect(await desk.refused.count()).toBe(0)
  })
})

describe('everybody', () => {
  /** One of everything: orders that wait, that are refused, that were taken. */
  async function busyDesk(): Promise<Desk> {
    const { desk } = await openDesk()
    await desk.serviceIs('forgetful')
    await desk.order('Sencha', 2)
    await has(desk.taken, 1)
    await desk.serviceIs('well')
    await desk.order('Darjeeling', 1)
    await has(desk.taken, 2)
    await desk.serviceIs('strict')
    await desk.order('Lapsang Souchong', 12)
    await has(desk.refused, 1)
    await desk.serviceIs('down')
    for (const [tea, packs] of [['Oolong', 1], ['Sencha', 3], ['Darjeeling', 6]] as const) await desk.order(tea, packs)
    await desk.circuit.getByText('Circuit open').waitFor()
    return desk
  }

  it('can read it: no finding of axe, on light and on dark ground, wide and narrow', async () => {
    const desk = await busyDesk()
    const { page } = desk
    await page.evaluate(axe.source)
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1_280, 390]) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await page.setViewportSize({ width, height: width > 400 ? 800 : 1_500 })
        const { violations, passes } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run())
        expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
        expect(passes.map(({ id }) => id)).toEqual(expect.arrayContaining(['color-contrast', 'label', 'list', 'button-name']))
        expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is cut off').toBe(true)
        await picture(page, `${colorScheme}-${width}`)
      }
    }
  })

  it('can work it without a mouse, and always sees where they are', async () => {
    const { shop, desk } = await openDesk()
    const { page } = desk
    const walked: string[] = []
    /** To the next thing that takes the keyboard, whose name is told. */
    const tab = async (): Promise<void> => {
      await page.keyboard.press('Tab')
      walked.push(await page.evaluate(nameOfFocused))
    }
    await tab()
    await page.keyboard.press('O')
    await tab()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await has(desk.taken, 1)
    await tab()
    await tab()
    await page.keyboard.press('Space')
    await desk.circuit.getByText('Offline').waitFor()
    await tab()
    await page.keyboard.press('ArrowUp') // round to the last one: strict
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await has(desk.outbox, 1)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await has(desk.refused, 1)
    await tab()
    await tab()
    await tab()
    await tab()
    await page.keyboard.press('ArrowDown') // and on to the first: well
    for (const _ of ['Forget', 'Send again']) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await has(desk.taken, 2)
    expect(await page.evaluate(nameOfFocused), 'what is gone passes the focus on').toBe('Work offline')
    expect(walked).toEqual([
      'Tea', 'Packs', 'Place order', 'Work offline', 'It is well',
      'Send all again', 'Send again: 2 × Oolong', 'Forget: 2 × Oolong', 'It is strict: refuses whatever comes',
    ])
    expect(await shop.taken()).toEqual(['2 × Oolong', '2 × Oolong'])
  })
})

/** In the page: what the focused element is called, which must be seen to be focused. */
function nameOfFocused(): string {
  const focused = document.activeElement as HTMLElement & { labels?: NodeListOf<HTMLLabelElement> }
  const { outlineStyle, outlineWidth } = getComputedStyle(focused)
  if (outlineStyle === 'none' || outlineWidth === '0px') return `not seen to be focused: ${focused.outerHTML}`
  const label = focused.labels?.[0]
  const own = [...(label?.childNodes ?? [])].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ textContent }) => textContent)
  const legend = focused.closest('fieldset')?.querySelector('legend')?.textContent
  const name = focused.getAttribute('aria-label') ?? (label === undefined ? focused.textContent : own.join(' '))
  return [legend, name].filter(Boolean).join(' ').replace(/\s+/g, ' ').trim()
}
