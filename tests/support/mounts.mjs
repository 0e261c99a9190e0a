// File systems of our own, mounted where nobody else sees them.
//
// A program that mounts runs in a mount namespace of its own: when its last process ends, however it ends, the kernel takes
// every mount down, and with it every loop device: there is nothing to clean up. `setpriv` makes sure that it ends with whoever started it.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Where a program keeps its files: a folder that everybody has, and nobody sees what is mounted there. */
const PLACE = '/media'
const MARK = 'ACKBOX_PRIVATE_MOUNTS'
const ENTER = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private']

/** Mounts a folder in memory, and a file in it as a disk: a container may be allowed the one and not the other. */
const PROBE = `mount -t tmpfs -o size=8m ackbox ${PLACE} && truncate --size 4M ${PLACE}/image &&
  mkfs.ext4 -q -F ${PLACE}/image && mkdir ${PLACE}/disk && mount -o loop ${PLACE}/image ${PLACE}/disk`

/** Why file systems cannot be mounted here; `undefined` if they can. */
export function whyNoMounts() {
  if (process.platform !== 'linux') return `mounting needs Linux, this is ${process.platform}`
  const { status, stderr, error } = spawnSync('setpriv', [...ENTER, 'sh', '-c', PROBE], { encoding: 'utf8' })
  if (status === 0) return undefined
  return `mounting is not permitted: ${(error?.message ?? stderr).trim().split('\n')[0]}`
}

/** Whether this program has mounts of its own. */
export function hasPrivateMounts() {
  return process.env[MARK] === '1'
}

/** Runs this very program again, with mounts of its own, and ends as that does. */
export async function rerunWithPrivateMounts() {
  const child = spawn('setpriv', [...ENTER, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  const [code, signal] = await new Promise((resolve) => child.once('exit', (...ending) => resolve(ending)))
  if (signal !== null) console.log(`ended by ${signal}`)
  process.exitCode = code ?? 1
}

/** Command and arguments of a program that ends with this one, also while it is stopped. */
export function dyingWithUs(command, args) {
  return ['setpriv', ['--pdeathsig', 'KILL', command, ...args]]
}

export function mount(...args) {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** A folder in memory: what is in there is gone with the program, mounts and all. */
export function folderInMemory() {
  mount('-t', 'tmpfs', '-o', 'size=1g', 'ackbox', PLACE)
  return PLACE
}

/** Takes a file system down; what is still open in there keeps it, unseen, until it is closed. */
export function unmount(place) {
  execFileSync('umount', ['--lazy', place], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The block device that is mounted there, as the kernel calls it: `loop3`, say. */
export function deviceAt(place) {
  const line = readFileSync('/proc/self/mounts', 'utf8').split('\n').find((mounted) => mounted.split(' ')[1] === place)
  const device = line?.split(' ')[0]
  if (device === undefined) throw new Error(`expected a mount at ${place}, but there is none`)
  return device.replace('/dev/', '')
}
