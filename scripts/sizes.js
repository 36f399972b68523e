// What the client costs a page: bundled and minified by esbuild, compressed by zlib. A part that outgrows its
// bound fails `npm run check`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { main, prepare, root } from './prepare.js'

/**
 * By what a page imports, the most that it may cost, in KiB. React is the page's own. Parts of the client
 * count without the client itself, which the page has anyway.
 * @type {Record<string, { imports: string, most: number, beside?: string }>}
 */
const PARTS = {
  'WebSocket alone': { imports: '@tickwire/client/websocket', most: 10.25 },
  'three transports': { imports: '@tickwire/client', most: 11.5 },
  books: { imports: '@tickwire/client/book', most: 4 },
  bars: { imports: '@tickwire/client/bars', most: 4 },
  heatmap: { imports: '@tickwire/client/heatmap', most: 1.5 },
  React: { imports: '@tickwire/client/react', most: 4, beside: '@tickwire/client/book @tickwire/client/bars' }
}

/**
 * By page, the most that its first load may cost, in KiB: what it loads before it shows anything. The library
 * that draws charts comes after that.
 */
const PAGES = { index: 150, monitor: 150, console: 150 }

/** @param {string} code */
async function sizeOf (code) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    external: ['react'],
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('esbuild made nothing')
  return gzipSync(file.contents, { level: 9 }).length
}

/** @param {string[]} modules */
const importing = modules => modules.map(name => `export * from ${JSON.stringify(name)}`).join('\n')

/**
 * Returns the size of a built page with all that it imports at once.
 * @param {string} page
 */
function firstLoad (page) {
  const folder = join(root, 'dist', 'dashboard')
  const seen = new Set([`${page}.html`])
  let bytes = 0
  for (const file of seen) {
    const content = readFileSync(join(folder, file))
    bytes += gzipSync(content, { level: 9 }).length
    const references = file.endsWith('.html')
      ? content.toString().matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)
      : file.endsWith('.js') ? content.toString().matchAll(/(?:from|import) ?["']\.\/([^"']+)["']/g) : []
    for (const [, name = ''] of references) seen.add(name.startsWith('assets/') ? name : `assets/${name}`)
  }
  return bytes
}

/** @type {(part: string, bytes: number, most: number) => void} */
function judge (part, bytes, most) {
  const kib = bytes / 1024
  const fits = kib <= most
  console.log(`${fits ? 'ok  ' : 'FAIL'} ${part}: ${kib.toFixed(2)} KiB of ${most}`)
  if (!fits) process.exitCode = 1
}

await main(prepare)
for (const [part, { imports, most, beside }] of Object.entries(PARTS)) {
  const others = beside?.split(' ') ?? []
  const alone = others.length === 0 ? 0 : await sizeOf(importing(others))
  judge(part, await sizeOf(importing([...others, imports])) - alone, most)
}
for (const [page, most] of Object.entries(PAGES)) judge(`page ${page}`, firstLoad(page), most)
