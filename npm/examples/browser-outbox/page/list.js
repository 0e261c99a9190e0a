// Lists that change while somebody uses them: entries that stay keep their elements, and with them the focus.

/**
 * A function that shows `items` in `list`, one entry each, in their order. `create(item)` makes the entry, `update(entry,
 * item)` brings it up to date; `item.id` tells which is which.
 */
export function listIn(list, create, update) {
  const entries = new Map()
  return (items) => {
    const ids = new Set(items.map(({ id }) => id))
    for (const [id, entry] of entries) {
      if (ids.has(id)) continue
      passFocusOn(entry, list)
      entry.remove()
      entries.delete(id)
    }
    items.forEach((item, index) => {
      const entry = entries.get(item.id) ?? create(item)
      entries.set(item.id, entry)
      update(entry, item)
      if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null)
    })
  }
}

/** Who works with the keyboard goes on at the next entry, not at the top of the page. */
function passFocusOn(entry, list) {
  if (!entry.contains(document.activeElement)) return
  const next = entry.nextElementSibling ?? entry.previousElementSibling
  ;(next?.querySelector('button') ?? list.closest('section').previousElementSibling.querySelector('input, button'))?.focus()
}

/** An element with a class, a text and children. */
export function element(name, className, text = '', children = []) {
  const made = document.createElement(name)
  made.className = className
  made.textContent = text
  made.append(...children)
  return made
}

/** Writes a text only where it changed: a screen reader reads out what is written. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text
}
