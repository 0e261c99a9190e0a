/** A web site on this machine, with an origin of its own for each. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'

import { onTestFinished } from 'vitest'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

export interface SiteOptions {
  /** Folders that are served, by the path at which they begin. */
  readonly folders?: Readonly<Record<string, string>>
  /** Texts that are served, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** What answers by itself, by path. */
  readonly listeners?: Readonly<Record<string, RequestListener>>
  /** With every answer. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Serves until the test ends; resolves with the origin. */
export async function site({ folders = {}, files = {}, listeners = {}, headers = {} }: SiteOptions): Promise<string> {
  const server = createServer(async (request, answer) => {
    const path = new URL(request.url ?? '/', 'http://site').pathname
    const listener = listeners[path]
    if (listener !== undefined) return listener(request, answer)
    const content = files[path] ?? (await fromFolders(folders, path))
    if (content === undefined) return void answer.writeHead(404).end()
    answer.writeHead(200, { ...headers, 'content-type': TYPES[extname(path)] ?? 'text/html' }).end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => closed(server))
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

async function fromFolders(folders: Readonly<Record<string, string>>, path: string): Promise<Buffer | undefined> {
  for (const [prefix, folder] of Object.entries(folders)) {
    if (!path.startsWith(prefix)) continue
    const file = join(folder, normalize(path.slice(prefix.length)))
    return readFile(file.endsWith('/') ? `${file}index.html` : file).catch(() => undefined)
  }
  return undefined
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}
