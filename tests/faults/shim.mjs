// The library that makes calls fail (`failing-calls.c`), built where the tests run, and the file that controls it.
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Kinds of calls, by the numbers that the library knows them by. */
const CALLS = { write: 1, flush: 2, truncate: 3, rename: 4, unlink: 5, link: 6, create: 7 }
/** What happens to a call. A full disk stays full, and an interrupted call succeeds when it is made again. */
const FAULTS = {
  EIO: { what: constants.errno.EIO, stays: false },
  ENOSPC: { what: constants.errno.ENOSPC, stays: true },
  EINTR: { what: constants.errno.EINTR, stays: false },
  short: { what: -1, stays: false },
  torn: { what: -2, stays: false },
}
const PATH_BYTES = 512
const NUMBERS_BYTES = 24
const CONTROL_BYTES = NUMBERS_BYTES + 2 * PATH_BYTES

/** Which faults each kind of call can meet. */
export const PLAN = Object.keys(CALLS).flatMap((call) =>
  Object.keys(FAULTS)
    .filter((fault) => call === 'write' || (fault !== 'short' && fault !== 'torn'))
    .map((fault) => ({ call, fault })),
)

/** Why calls cannot be made to fail here; `undefined` if they can. */
export function whyNoShim() {
  if (process.platform !== 'linux') return `a library in front of the C library needs Linux, this is ${process.platform}`
  const { error } = spawnSync('cc', ['--version'], { stdio: 'ignore' })
  return error === undefined ? undefined : `a library in front of the C library needs a C compiler: ${error.message}`
}

/** Compiles the library into `folder`; gives its path. */
export function buildShim(folder) {
  const library = join(folder, 'failing-calls.so')
  const source = fileURLToPath(new URL('failing-calls.c', import.meta.url))
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', '-o', library, source, '-ldl'], { stdio: ['ignore', 'inherit', 'inherit'] })
  return library
}

/**
 * The environment for a program under the library. Node may hand calls to the kernel by io_uring, past the C library: it
 * must not here.
 */
export function underShim(library, control) {
  writeFileSync(control, Buffer.alloc(CONTROL_BYTES))
  return { LD_PRELOAD: library, ACKBOX_FAULT_CONTROL: control, UV_USE_IO_URING: '0' }
}

/** Commands the library from inside the program that runs under it. */
export class FaultControl {
  #file = openSync(process.env['ACKBOX_FAULT_CONTROL'], 'r+')

  /** Call number `number` of this kind below `folder` meets the fault. */
  arm(folder, { call, fault }, number) {
    const { what, stays } = FAULTS[fault]
    this.#write(folder, CALLS[call], number, what, stays)
  }

  /** No call fails any more. Gives how many of the kind were made, how many failed, and what the first of those was about. */
  disarm() {
    const bytes = Buffer.alloc(CONTROL_BYTES)
    readSync(this.#file, bytes, 0, CONTROL_BYTES, 0)
    this.#write('', 0, 0, 0, false)
    const place = bytes.subarray(NUMBERS_BYTES + PATH_BYTES)
    return { seen: bytes.readUInt32LE(16), fired: bytes.readUInt32LE(20), place: place.toString('utf8', 0, place.indexOf(0)) }
  }

  close() {
    closeSync(this.#file)
  }

  #write(folder, call, number, what, stays) {
    const bytes = Buffer.alloc(CONTROL_BYTES)
    bytes.writeUInt32LE(call, 0)
    bytes.writeUInt32LE(number, 4)
    bytes.writeInt32LE(what, 8)
    bytes.writeUInt32LE(stays ? 1 : 0, 12)
    bytes.write(folder, NUMBERS_BYTES, PATH_BYTES - 1, 'utf8')
    writeSync(this.#file, bytes, 0, CONTROL_BYTES, 0)
  }
}
