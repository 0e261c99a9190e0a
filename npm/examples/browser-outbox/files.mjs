// The files of the page: its own, and under /ackbox/ what the package brings for pages without a bundler.

import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'

const PAGE = new URL('page/', import.meta.url)
const PACKAGE = new URL('web/', import.meta.resolve('ackbox'))
const TYPES = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.svg': 'image/svg+xml' }

/** Answers with a file, or that there is none. */
export async function serveFile(method, pathname) {
  const path = pathname === '/' ? '/index.html' : pathname
  const [folder, name] = path.startsWith('/ackbox/') ? [PACKAGE, path.slice('/ackbox/'.length)] : [PAGE, path.slice(1)]
  const file = new URL(name, folder)
  const isInside = method === 'GET' && file.href.startsWith(folder.href)
  const content = isInside ? await readFile(file).catch(() => undefined) : undefined
  if (content === undefined) return new Response('there is no such page', { status: 404 })
  const type = TYPES[extname(name)] ?? 'application/octet-stream'
  return new Response(content, { headers: { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' } })
}
