import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build as buildWithEsbuild } from 'esbuild'
import { test, type Test } from 'tap'
import { build as buildWithVite } from 'vite'
import webpack from 'webpack'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** Reads one quote of a server over the transport that the client likes best. */
const READ = `import { TickwireClient } from '@tickwire/client'
export function read (url, found, more = {}) {
  const client = new TickwireClient({ url, ...more })
  client.subscribe('quotes', ['A']).onMessage(({ data }) => {
    found(client.state.transport + ' ' + data.bid)
    client.close()
  })
}
`

/** Programs by file; each imports `read`. */
const programs = (url: string): Record<string, string> => ({
  'page.js': `read('${url}', text => { globalThis.found = text })`,
  'worker.js': `read('${url}', text => { postMessage(text) })`,
  'service-worker.js': `addEventListener('message', event => {
    event.waitUntil(new Promise(resolve => read('${url}', text => { resolve(event.source.postMessage(text)) })))
  })`
})

const script = (name: string): string => `<script src="${name}.js"></script>`
/** Pages by name: each ends with `found`. */
const pages: Record<string, string> = {
  esbuild: script('esbuild'),
  vite: '<script type="module" src="vite.js"></script>',
  webpack: script('webpack'),
  worker: '<script>new Worker("worker.js").onmessage = ({ data }) => { globalThis.found = data }</script>',
  'service-worker': `<script>
    navigator.serviceWorker.onmessage = ({ data }) => { globalThis.found = data }
    navigator.serviceWorker.register('service-worker.js')
    navigator.serviceWorker.ready.then(({ active }) => active.postMessage('read'))
  </script>`
}

async function serve (t: Test, folder: string): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    const name = url.slice(1)
    response.setHeader('Content-Type', name.endsWith('.js') ? 'text/javascript' : 'text/html')
    response.end(name.endsWith('.js') ? readFileSync(join(folder, name)) : `<!doctype html>${pages[name] ?? ''}`)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A folder with the project's packages, as an application has them. */
function application (t: Test, files: Record<string, string>): string {
  const folder = temporaryFolder(t)
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'built'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

async function buildAll (folder: string): Promise<void> {
  const built = join(folder, 'built')
  const page = join(folder, 'page.js')
  const names = { esbuild: 'page.js', worker: 'worker.js', 'service-worker': 'service-worker.js' }
  const entryPoints = Object.entries(names).map(([out, file]) => ({ in: join(folder, file), out }))
  await buildWithEsbuild({ entryPoints, bundle: true, minify: true, outdir: built, logLevel: 'silent' })
  await buildWithVite({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: { outDir: built, emptyOutDir: false, rollupOptions: { input: page, output: { entryFileNames: 'vite.js' } } }
  })
  await new Promise<void>((resolve, reject) => {
    webpack({ mode: 'production', context: folder, entry: page, output: { path: built, filename: 'webpack.js' } }, (error, stats) => {
      if (error === null && stats?.hasErrors() === false && !stats.hasWarnings()) resolve()
      else reject(error ?? new Error(stats?.toString()))
    })
  })
}

test('pages built with esbuild, Vite and webpack, a web worker and a service worker read a stream', { ...inBrowser, timeout: 200_000 }, async t => {
  const server = await startServer(t, { ALLOWED_ORIGINS: '*' })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const imported = Object.entries(programs(server.origin)).map(([name, text]) =>
    [name, `import { read } from './read.js'\n${text}`] as const)
  const folder = application(t, { 'read.js': READ, 'package.json': '{"type":"module"}', ...Object.fromEntries(imported) })
  await buildAll(folder)
  const origin = await serve(t, join(folder, 'built'))
  const browser = await launchBrowser(t)
  for (const name of Object.keys(pages)) {
    const page = await browser.newPage()
    await page.goto(`${origin}/${name}`)
    await page.waitForFunction('globalThis.found !== undefined')
    t.equal(await page.evaluate('found'), 'websocket 1', name)
    await page.close()
  }
})

test('Node reads a stream with import and with require', { timeout: 120_000 }, async t => {
  const server = await startServer(t)
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const body = READ.replace(/^import.*\n/, '').replace('export ', '')
  const start = `${body}\nread('${server.origin}', console.log, { WebSocket })`
  const folder = application(t, {
    'program.mjs': `import { WebSocket } from 'ws'\nimport { TickwireClient } from '@tickwire/client'\n${start}`,
    'program.cjs': `const { WebSocket } = require('ws')\nconst { TickwireClient } = require('@tickwire/client')\n${start}`
  })
  for (const name of ['program.mjs', 'program.cjs']) {
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, name)])
    t.equal(stdout, 'websocket 1\n', name)
  }
})
