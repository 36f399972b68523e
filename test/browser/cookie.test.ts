import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Test, test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'

/**
 * Starts another server on this host. A browser treats its page as same-site, with the same cookies, but as
 * another origin.
 */
async function startSite (t: Test): Promise<string> {
  const site = createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>') })
  await new Promise<void>(resolve => { site.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    site.closeAllConnections()
    site.close()
  })
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`
}

interface Stream {
  readonly url: string
  readonly cookie: string | undefined
  readonly socket: Socket
  status: number
}

test('a native EventSource with the cookie comes back by itself; pages of other origins do not get in with it', inBrowser, async t => {
  const [listed, foreign] = [await startSite(t), await startSite(t)]
  const server = await startServer(t, { AUTH: 'required', ALLOWED_ORIGINS: listed })
  const token = server.token({ publish: [] })
  const streams: Stream[] = []
  const cookiesElsewhere: string[] = []
  server.app.server.prependListener('request', (request: IncomingMessage, response: { on (event: 'close', listener: () => void): void, statusCode: number }) => {
    const { url = '', headers: { cookie }, socket } = request
    if (!url.startsWith('/v1/stream')) {
      if (cookie !== undefined) cookiesElsewhere.push(url)
      return
    }
    const stream: Stream = { url, cookie, socket, status: 0 }
    streams.push(stream)
    response.on('close', () => { stream.status = response.statusCode })
  })
  const order = async (id: number): Promise<void> => {
    const data = { order_id: String(id), symbol: 'A', side: 'buy', order_type: 'limit', status: 'new', quantity: '1', filled_qty: '0' }
    const [result] = await server.parts.publisher.publish([{ channel: 'orders', user: 'alice', data }], { publisher: 'test' })
    if (result === undefined || 'code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  /** What a page does. */
  const listen = (withCredentials: boolean): string => `
    window.orders = []
    window.failed = false
    const source = new EventSource('${server.origin}/v1/stream?subscribe=orders', { withCredentials: ${withCredentials} })
    source.onmessage = event => { const message = JSON.parse(event.data); if (message.sequence) window.orders.push(message.sequence) }
    source.onerror = () => { window.failed = source.readyState === EventSource.CLOSED }
  `
  const browser = await launchBrowser(t)
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${server.origin}/healthz`)

  t.equal(await page.evaluate(`(async () => {
    const answer = await fetch('/api/ws/token?cookie=1', { headers: { Authorization: 'Bearer ${token}' } })
    await fetch('/healthz')
    await fetch('/v1/symbols')
    return answer.status + document.cookie
  })()`), '200', 'no script of the page can read it')
  await page.evaluate(listen(false))
  await until('it listens', () => server.parts.hub.audience.everybody().size === 1)
  const CUTS = 3
  for (let cut = 1; cut <= CUTS; cut++) {
    await order(2 * cut - 1)
    for (const { socket } of streams) socket.destroy()
    await order(2 * cut)
    await until('it has come back', () => streams.length === cut + 1 && server.parts.hub.audience.everybody().size === 1)
  }
  await page.waitForFunction(`new Set(window.orders).size === ${2 * CUTS}`)
  t.same([...new Set(await page.evaluate('window.orders') as number[])], [1, 2, 3, 4, 5, 6], 'every order, in order')
  t.ok(streams.every(({ cookie }) => cookie === `tickwire=${token}`), 'each time with the cookie')
  t.same(cookiesElsewhere, [], 'which goes nowhere else')
  await page.close()

  const visit = async (origin: string, withCredentials: boolean): Promise<Stream> => {
    const other = await context.newPage()
    await other.goto(origin)
    const before = streams.length
    await other.evaluate(listen(withCredentials))
    await until('it has asked', () => streams.length > before)
    await order(7)
    await other.waitForFunction('window.failed || window.orders.length > 0')
    t.equal(await other.evaluate('window.orders.length > 0'), origin === listed && withCredentials, `${origin === listed ? 'a page that is listed' : 'a page that is not'}, with credentials: ${withCredentials}`)
    await other.close()
    await until('it is gone', () => server.parts.connections.active === 0)
    return streams.at(-1)!
  }
  t.match(await visit(listed, true), { cookie: /^tickwire=/, status: 200 })
  t.match(await visit(listed, false), { cookie: undefined, status: 401 })
  const refused = await visit(foreign, true)
  t.match(refused.cookie, /^tickwire=/, 'a browser sends the cookie for a page of the same site')
  t.ok(refused.status === 401 || refused.status === 403, 'and it is not let in for it')

  const leaving = await context.newPage()
  await leaving.goto(`${server.origin}/healthz`)
  t.equal(await leaving.evaluate("fetch('/api/ws/token', { method: 'DELETE' }).then(({ status }) => status)"), 204)
  const asked = streams.length
  await leaving.evaluate(listen(true))
  await until('it has asked', () => streams.length > asked)
  t.equal(streams.at(-1)!.cookie, undefined, 'once the page has logged out, the browser has forgotten it')
})
