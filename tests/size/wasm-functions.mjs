/**
 * What the functions of a WebAssembly module take, by the part of the program that they are of. Reads the `name` section,
 * which the compiler writes and the glue removes: so it is told of the module as it was compiled, before `wasm-opt`.
 */

const SECTION = { custom: 0, import: 2, code: 10 }
const KIND_FUNCTION = 0
const NAMES_OF_FUNCTIONS = 1
/** Ordered: the first that a name holds is its part. Names of legacy mangling, `3foo3bar`, and of the new one hold both the words. */
const PARTS = [
  ['options, requests and objects (serde)', /serde|Deserialize|Serialize|ackbox_cold/],
  ['B-trees', /btree/],
  ['sorting', /slice4sort|sort[^\w]/],
  ['freeing (drop)', /drop_in_place/],
  ['engine: composition', /ackbox_core\w*?6engine/],
  ['engine: ledger', /ackbox_core\w*?6ledger/],
  ['engine: consumer', /ackbox_core\w*?8consumer/],
  ['engine: journal', /ackbox_core\w*?7journal/],
  ['engine: policies', /ackbox_core\w*?6policy/],
  ['engine: the rest', /ackbox_core/],
  ['records and host', /ackbox_w|wasmengine|wasmbreaker/],
  ['texts of panics and errors, numbers as text', /4core3fmt|core\w*3fmt|flt2dec|core\w*3num/],
  ['binding to JavaScript', /wasm_bindgen|js_sys|wbindgen|wbg/],
]
const REST = 'the rest of the standard library'

/** `[{ part, bytes, functions }]`, largest first; undefined if the module does not name its functions. */
export function sizesByPart(module) {
  const { bodies, imports, names } = read(module)
  if (names === undefined) return undefined
  const sizes = new Map()
  bodies.forEach((bytes, index) => {
    const name = names.get(imports + index) ?? ''
    const part = PARTS.find(([, pattern]) => pattern.test(name))?.[0] ?? REST
    const { bytes: sum = 0, functions = 0 } = sizes.get(part) ?? {}
    sizes.set(part, { part, bytes: sum + bytes, functions: functions + 1 })
  })
  return [...sizes.values()].sort((a, b) => b.bytes - a.bytes)
}

function read(module) {
  const { sections, at } = sectionsOf(module)
  const found = { bodies: [], imports: 0, names: undefined }
  for (const { id, start, end } of sections) {
    const cursor = at(start)
    if (id === SECTION.import) found.imports = countImports(cursor)
    if (id === SECTION.code) found.bodies = sizesOfBodies(cursor)
    if (id === SECTION.custom && cursor.text() === 'name') found.names = namesOf(cursor, end)
  }
  return found
}

function sectionsOf(module) {
  const at = (offset) => new Cursor(module, offset)
  const cursor = at(8)
  const sections = []
  while (cursor.offset < module.length) {
    const id = cursor.byte()
    const length = cursor.number()
    sections.push({ id, start: cursor.offset, end: cursor.offset + length })
    cursor.offset += length
  }
  return { sections, at }
}

/** Functions alone count: they come before those of the module in the numbering. */
function countImports(cursor) {
  let functions = 0
  for (let left = cursor.number(); left > 0; left--) {
    cursor.text()
    cursor.text()
    if (cursor.byte() !== KIND_FUNCTION) throw new Error('expected the module to import functions alone')
    cursor.number()
    functions++
  }
  return functions
}

function sizesOfBodies(cursor) {
  return Array.from({ length: cursor.number() }, () => {
    const bytes = cursor.number()
    cursor.offset += bytes
    return bytes
  })
}

function namesOf(cursor, end) {
  const names = new Map()
  while (cursor.offset < end) {
    const kind = cursor.byte()
    const length = cursor.number()
    const next = cursor.offset + length
    if (kind === NAMES_OF_FUNCTIONS) {
      for (let left = cursor.number(); left > 0; left--) names.set(cursor.number(), cursor.text())
    }
    cursor.offset = next
  }
  return names
}

class Cursor {
  constructor(bytes, offset) {
    this.bytes = bytes
    this.offset = offset
  }

  byte() {
    return this.bytes[this.offset++]
  }

  /** LEB128, unsigned. */
  number() {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }

  text() {
    const length = this.number()
    this.offset += length
    return new TextDecoder().decode(this.bytes.subarray(this.offset - length, this.offset))
  }
}
