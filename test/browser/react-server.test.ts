import { createRequire } from 'node:module'
import { runInThisContext } from 'node:vm'
import { test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { bundleForNode, bundleForPage, inPage, openHooksPage, shows } from '../helpers/react-page.js'
import { publish, startServer } from '../helpers/server.js'

test('a server renders empty values, and the page takes them over without a complaint', inBrowser, async t => {
  const server = await startServer(t)
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const made = { exports: {} as Record<string, (...given: unknown[]) => unknown> }
  const run = runInThisContext(`(function (module, exports, require) {${await bundleForNode('views.jsx')}\n})`) as (...given: unknown[]) => void
  run(made, made.exports, createRequire(import.meta.url))
  const { TickwireClient, TickwireProvider, renderToString, createElement, All } = made.exports as {
    TickwireClient: new (options: object) => { state: { name: string } }
  } & Record<string, (...given: unknown[]) => unknown>
  const client = new TickwireClient({ url: server.origin })
  const html = renderToString!(createElement!(TickwireProvider, { client }, createElement!(All))) as string
  t.match(html, '<p id="A">null</p><p id="quotes">[]</p><p id="topic">null</p><p id="trades">[]</p>')
  t.match(html, '<p id="connection">&quot;idle&quot;</p>')
  t.equal(client.state.name, 'idle', 'it connects to nothing')
  const browser = await launchBrowser(t)
  const page = await openHooksPage(browser, server.origin, await bundleForPage(), `<div id="root">${html}</div>`)
  await inPage(page, 'open', {})
  await page.evaluate('globalThis.complaints = hooks.hydrate([["All", {}]])')
  await shows(page, 'A', '"1"')
  t.same(await page.evaluate('complaints'), [])
})
