import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { inBrowser, launchBrowser } from '../helpers/browser.js'
import { publish, startServer } from '../helpers/server.js'

/** A page of nobody in particular, on a port of its own: another origin. */
async function otherOrigin (t: Test): Promise<string> {
  const server = createServer((_request, response) => { response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>another origin</title>') })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/**
 * What a page of some origin can observe of a server: for each way to read, what it read, or that it could
 * not read.
 */
interface Observed {
  readonly socket: string
  readonly events: string
  readonly poll: string
  /** With credentials of the browser's, as a page would that wants to use a visitor's cookie. */
  readonly pollWithCredentials: string
}

/** Runs in the page. */
const look = (stream: string): string => `(async () => {
  const query = '${stream}/v1/stream?subscribe=quotes:A'
  const within = promise => Promise.race([promise, new Promise(resolve => setTimeout(resolve, 8000, 'nothing came'))])
  const socket = within(new Promise(resolve => {
    const socket = new WebSocket(query.replace('http', 'ws'), 'tickwire.v1.json')
    socket.onmessage = ({ data }) => { const { type } = JSON.parse(data); if (type === 'quote') resolve('read') }
    socket.onclose = ({ code }) => resolve('closed ' + code)
  }))
  const events = within(new Promise(resolve => {
    const source = new EventSource(query)
    source.onmessage = ({ data }) => { const { type } = JSON.parse(data); if (type === 'quote') resolve('read') }
    source.onerror = () => { resolve('failed'); source.close() }
  }))
  const poll = init => within(fetch(query, init).then(response => response.json()).then(({ messages }) => messages.length === 1 ? 'read' : 'empty', error => error.name))
  return { socket: await socket, events: await events, poll: await poll({}), pollWithCredentials: await poll({ credentials: 'include' }) }
})()`

test('a page of another origin can read nothing over any transport, unless its origin is allowed', inBrowser, async t => {
  const stranger = await otherOrigin(t)
  const friend = await otherOrigin(t)
  const server = await startServer(t, { ALLOWED_ORIGINS: friend })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  const observe = async (origin: string): Promise<Observed> => {
    await page.goto(`${origin}/${origin === server.origin ? 'healthz' : ''}`)
    return await page.evaluate(look(server.origin)) as Observed
  }
  t.same(await observe(stranger), { socket: 'closed 1006', events: 'failed', poll: 'TypeError', pollWithCredentials: 'TypeError' }, 'a stranger')
  t.match(await observe(friend), { socket: 'read', events: 'read', poll: 'read' }, 'one whose origin is listed')
  t.match(await observe(server.origin), { socket: 'read', events: 'read', poll: 'read' }, 'the same origin')
})
