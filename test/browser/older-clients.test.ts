import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { exchanges, playOf, startOlderServer } from '../helpers/older-exchanges.js'
import { ROOT } from '../helpers/root.js'
import { publish } from '../helpers/server.js'

/** What the page has been told. */
interface Seen {
  readonly snapshots: ReadonlyArray<{ readonly symbol: string, readonly data: object }>
  readonly statuses: readonly string[]
  readonly errors: readonly string[]
}

test('plays the exchanges of older documents, and reads heatmaps with HeatmapWebSocket, in a page', inBrowser, async t => {
  const server = await startOlderServer(t)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${server.origin}/healthz`)
  await page.addScriptTag({ content: `${readFileSync(join(ROOT, 'test/older/play.js'), 'utf8')}\nwindow.play = play`, type: 'module' })
  for (const exchange of exchanges) {
    const verdict = await page.evaluate(`play(${JSON.stringify(playOf(server, exchange))})`)
    t.equal(verdict, null, exchange.title)
    await until('the client has gone', () => server.parts.connections.active === 0)
  }

  const { outputFiles: [bundle] } = await build({
    stdin: { contents: "export * from '@tickwire/client/heatmap'", resolveDir: ROOT }, bundle: true, format: 'iife', globalName: 'heatmap', write: false
  })
  await page.addScriptTag({ content: bundle!.text })
  await page.evaluate(`
    window.seen = { snapshots: [], statuses: [], errors: [] }
    window.client = new heatmap.HeatmapWebSocket(location.origin.replace('http', 'ws') + '/ws/heatmap', {
      reconnectDelay: 20,
      onSnapshot: message => { seen.snapshots.push(message) },
      onStatusChange: status => { seen.statuses.push(status) },
      onError: error => { seen.errors.push(error.code) }
    })
    client.connect()
    client.subscribe(['BTCUSDT', 'XYZUSDT'])
  `)
  const seen = async (): Promise<Seen> => await page.evaluate('window.seen') as never
  const eventually = async (holds: (seen: Seen) => boolean): Promise<Seen> => {
    for (;;) {
      const now = await seen()
      if (holds(now)) return now
      await page.evaluate('new Promise(resolve => setTimeout(resolve, 10))')
    }
  }
  const first = await eventually(({ snapshots, errors }) => snapshots.length === 1 && errors.length === 1)
  t.match(first, { snapshots: [{ symbol: 'BTCUSDT', data: { current_price: 98450 } }], statuses: ['connected'], errors: ['INVALID_SYMBOL'] })

  for (const member of server.parts.connections.registry.all()) member.close({ code: 'going_away', message: 'for a test' })
  const again = await eventually(({ snapshots }) => snapshots.length === 2)
  t.same(again.statuses, ['connected', 'disconnected', 'connected'], 'it came back, with its subscriptions')

  await page.evaluate("client.unsubscribe(['BTCUSDT'])")
  await until('nobody reads heatmaps', () => server.parts.hub.audience.of('heatmap:BTC-USDT').empty)
  await publish(server.app, 'heatmap', 'BTC-USDT', {
    symbol: 'BTC-USDT', kind: 'liquidation', as_of: '2025-12-28T14:31:00Z', price_step: '1', current_price: '1', levels: []
  })
  await page.evaluate('client.disconnect()')
  await until('the client has gone', () => server.parts.connections.active === 0)
  t.match(await seen(), { snapshots: { length: 2 }, statuses: { length: 4 } }, 'it got nothing more, and stays away')
})
