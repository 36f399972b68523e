import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { startServer } from '../helpers/server.js'

test('publishes the items of feeds, with the symbols of known instruments, and counts what happened', async t => {
  const feed = createServer((request, response) => {
    if (request.url !== '/rss?key=hidden') response.writeHead(404).end()
    else response.end(`<rss><channel><title>Wire</title><item><title>Quayside Quantum rises</title><guid>1</guid><pubDate>${new Date().toUTCString()}</pubDate></item></channel></rss>`)
  })
  await new Promise<void>(resolve => { feed.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { feed.close() })
  const host = `127.0.0.1:${(feed.address() as AddressInfo).port}`
  const { app, origin } = await startServer(t, { NEWS_FEEDS: `http://${host}/rss?key=hidden,http://${host}/nothing` })
  await app.tickwire.declare([{ symbol: 'QBYT', name: 'Quayside Quantum' }])
  const metrics = async (): Promise<string> => await (await fetch(`${origin}/metrics`)).text()
  await eventually('both feeds were asked', async () => /event="published"/.test(await metrics()) && /event="refused"/.test(await metrics()))
  const text = await metrics()
  t.match(text, `tickwire_source_events_total{source="news",part="${host}/rss",event="published"} 1\n`)
  t.match(text, `tickwire_source_events_total{source="news",part="${host}/nothing",event="refused"} 1\n`)
  t.notMatch(text, 'hidden')
  const { messages } = await (await fetch(`${origin}/v1/history?topic=news`)).json() as { messages: Array<{ data: object }> }
  t.equal(messages.length, 1)
  t.match(messages[0]!.data, { headline: 'Quayside Quantum rises', source: 'Wire' })
  t.equal((await fetch(`${origin}/v1/stream?subscribe=news.feeds:x`)).status, 400)
})

test('does not start with a list of feeds that cannot be read', async t => {
  await t.rejects(startServer(t, { NEWS_FEEDS: 'file:///etc/passwd' }), { message: /NEWS_FEEDS: number 1 begins with file:/ })
})
