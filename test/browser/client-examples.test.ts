import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { tickwire } from '../../src/tickwire.js'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { type Network, networkTo } from '../helpers/network.js'
import { ROOT } from '../helpers/root.js'
import { publish, subscribers } from '../helpers/server.js'

const EXAMPLES = join(ROOT, 'examples/clients')
const REACT_PAGE = '<!doctype html><title>React</title><div id="root"></div><script type="module" src="react.js"></script>'

/** Makes one file of an example, as its reader would. */
async function bundle (file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(EXAMPLES, file)], bundle: true, format: 'esm', jsx: 'automatic', write: false, logLevel: 'silent'
  })
  return outputFiles[0]!.text
}

/** An application with the plugin and the pages of the examples, behind a network that can be taken away. */
async function serve (t: Test): Promise<{ app: FastifyInstance, network: Network }> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  const files: ReadonlyArray<readonly [path: string, type: string, text: string]> = [
    ['/page.html', 'text/html', readFileSync(join(EXAMPLES, 'page.html'), 'utf8')],
    ['/page.js', 'text/javascript', await bundle('page.js')],
    ['/react.html', 'text/html', REACT_PAGE],
    ['/react.js', 'text/javascript', await bundle('react.jsx')]
  ]
  for (const [path, type, text] of files) {
    app.get(path, async (_request, reply) => await reply.type(`${type}; charset=utf-8`).send(text))
  }
  await app.register(tickwire, { settings: { UNKNOWN_SYMBOLS: 'accept' } })
  await app.listen()
  return { app, network: await networkTo(t, (app.server.address() as AddressInfo).port) }
}

type Served = Awaited<ReturnType<typeof serve>>

const quote = async ({ app }: Served, bid: string): Promise<void> =>
  await publish(app, 'quotes', '005930', { symbol: '005930', bid, ask: '999' })
const trade = async ({ app }: Served, price: string): Promise<void> =>
  await publish(app, 'trades', '005930', { symbol: '005930', price, size: '7', timestamp: '2026-01-01T00:00:00Z' })

test('the example for a page shows quotes, those too that came while its network was gone', { ...inBrowser, timeout: 120_000 }, async t => {
  const served = await serve(t)
  const page = await (await launchBrowser(t)).newPage()
  await quote(served, '101')
  await page.goto(`${served.network.origin}/page.html`)
  await page.getByRole('cell', { name: '101' }).waitFor()
  await page.locator('#state', { hasText: 'live websocket' }).waitFor()
  served.network.take()
  await page.locator('#state', { hasText: 'offline' }).waitFor()
  await quote(served, '102')
  served.network.giveBack()
  await page.getByRole('cell', { name: '102' }).waitFor()
  t.equal(await page.locator('#quotes tr').count(), 1)
})

test('the example for React shows the quote and the trades of a symbol', { ...inBrowser, timeout: 120_000 }, async t => {
  const served = await serve(t)
  const page = await (await launchBrowser(t)).newPage()
  const faults: string[] = []
  page.on('pageerror', error => { faults.push(String(error)) })
  for (const price of ['1', '2', '3', '4', '5', '6']) await trade(served, price)
  await page.goto(`${served.network.origin}/react.html`)
  await page.locator('#state', { hasText: 'live websocket' }).waitFor()
  await quote(served, '101')
  await page.locator('#quote', { hasText: '101 / 999' }).waitFor()
  await trade(served, '8')
  await page.locator('#trades li:first-child', { hasText: '8 × 7' }).waitFor()
  t.same(await page.locator('#trades li').allTextContents(), ['8 × 7', '6 × 7', '5 × 7', '4 × 7', '3 × 7'])
  t.same(faults, [])
})

test('the example for Node prints each trade once through a cut, and ends at an interrupt', { timeout: 120_000 }, async t => {
  const served = await serve(t)
  const child = spawn(process.execPath, [join(EXAMPLES, 'node.js'), served.network.origin], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  const [printed, states]: [string[], string[]] = [[], []]
  createInterface(child.stdout).on('line', line => { printed.push(line) })
  createInterface(child.stderr).on('line', line => { states.push(line) })
  const ended = new Promise(resolve => { child.on('exit', resolve) })
  await until('it is subscribed', () => subscribers(served.app.tickwire, 'trades:005930') > 0)
  await until('it is live', () => states.some(line => line.startsWith('live websocket')))
  await trade(served, '1')
  await until('the first is printed', () => printed.length === 1)
  served.network.take()
  await until('it has noticed', () => states.some(line => line.startsWith('offline')))
  await trade(served, '2')
  served.network.giveBack()
  await until('the second is printed', () => printed.length === 2)
  t.same(printed, ['005930 1 7', '005930 2 7'])
  child.kill('SIGINT')
  t.equal(await ended, 0)
})
