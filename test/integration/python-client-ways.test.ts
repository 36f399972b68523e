import { connect, createServer, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import { listen } from '../helpers/network.js'
import { providePython, PythonDriver } from '../helpers/python-client.js'
import { publish, startServer } from '../helpers/server.js'
import { trade, TradesFeed } from '../helpers/trades-feed.js'

const python = await providePython()
const skip = 'missing' in python ? python.missing : false
const program = 'program' in python ? python.program : ''
const portOf = (origin: string): number => Number(new URL(origin).port)

/** What stands between a client and its server, and does something else with some requests. */
async function proxyTo (t: Test, port: number, judge: (head: string) => 'pass' | 'hang' | string): Promise<{ origin: string, silence: () => void }> {
  let open: Socket[] = []
  const near = await listen(t, createServer(client => {
    client.once('data', (head: Buffer) => {
      const verdict = judge(head.toString('latin1').toLowerCase())
      if (verdict === 'hang') return
      if (verdict !== 'pass') {
        client.end(verdict)
        return
      }
      const upstream = connect(port, '127.0.0.1')
      upstream.write(head)
      upstream.on('error', () => { client.destroy() })
      upstream.on('close', () => { client.destroy() })
      client.on('close', () => { upstream.destroy() })
      client.pipe(upstream).pipe(client)
      open.push(upstream)
    })
  }))
  return {
    origin: `http://127.0.0.1:${near}`,
    // What is open stays open, and brings nothing any more.
    silence () {
      for (const upstream of open) upstream.unpipe().pause()
      open = []
    }
  }
}

const BAD_GATEWAY = 'HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 14\r\nconnection: close\r\n\r\n<h1>Oops</h1>\n'

test('falls back where WebSockets are refused by something else, and comes back to them', { skip }, async t => {
  const server = await startServer(t)
  let refuses = true
  const proxy = await proxyTo(t, portOf(server.origin), head => refuses && head.includes('upgrade: websocket') ? BAD_GATEWAY : 'pass')
  const driver = PythonDriver.start(t, program)
  driver.do({ do: 'connect', url: proxy.origin })
  driver.do({ do: 'subscribe', channel: 'trades', symbols: ['A'] })
  await driver.seen({ event: 'state', state: 'live', transport: 'event-stream' })
  const feed = new TradesFeed(server)
  refuses = false
  await driver.seen({ event: 'state', state: 'live', transport: 'websocket' })
  await feed.stop()
  await driver.until('all have come', () => driver.numbers('trades', 'A').length >= feed.count)
  t.strictSame(driver.numbers('trades', 'A'), feed.numbers)
  t.same(driver.all({ event: 'reset' }), [])
  t.equal(await driver.close(), 0)
})

test('falls back to polling where WebSockets and event streams hang', { skip }, async t => {
  const server = await startServer(t)
  let hangs = true
  const proxy = await proxyTo(t, portOf(server.origin), head => hangs && /upgrade: websocket|accept: text\/event-stream/.test(head) ? 'hang' : 'pass')
  const driver = PythonDriver.start(t, program)
  driver.do({ do: 'connect', url: proxy.origin })
  driver.do({ do: 'subscribe', channel: 'trades', symbols: ['A'] })
  await driver.seen({ event: 'state', state: 'live', transport: 'polling' })
  const feed = new TradesFeed(server)
  await driver.until('messages come by polls', () => driver.numbers('trades', 'A').length > 20)
  hangs = false
  await driver.seen({ event: 'state', state: 'live', transport: 'websocket' })
  await feed.stop()
  await driver.until('all have come', () => driver.numbers('trades', 'A').length >= feed.count)
  t.strictSame(driver.numbers('trades', 'A'), feed.numbers)
  t.equal(await driver.close(), 0)
})

for (const transport of ['websocket', 'event-stream'] as const) {
  test(`notices a connection that stands and brings nothing: ${transport}`, { skip }, async t => {
    const server = await startServer(t)
    const proxy = await proxyTo(t, portOf(server.origin), () => 'pass')
    const driver = PythonDriver.start(t, program)
    driver.do({ do: 'connect', url: proxy.origin, transports: [transport] })
    driver.do({ do: 'subscribe', channel: 'trades', symbols: ['A'] })
    await driver.seen({ event: 'state', state: 'live' })
    await publish(server.app, 'trades', 'A', trade(1))
    await driver.until('it has come', () => driver.numbers('trades', 'A').length === 1)
    proxy.silence()
    await publish(server.app, 'trades', 'A', trade(2))
    await driver.until('it has come on another connection', () => driver.numbers('trades', 'A').length === 2)
    t.ok(driver.all({ event: 'state', state: 'stale' }).length > 0, 'it said that it was asking')
    t.same(driver.all({ event: 'state', state: 'offline' }), [], 'it came back at once')
    t.strictSame(driver.numbers('trades', 'A'), ['1', '2'])
    t.equal(await driver.close(), 0)
  })
}
