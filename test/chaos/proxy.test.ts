import { createServer as createHttpServer, get, type IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { type Test, test } from 'tap'
import { until } from '../helpers/clients.js'
import { listen } from '../helpers/network.js'
import { Choices } from '../helpers/random.js'
import { ChaosProxy, pages } from './proxy.js'

const UPGRADE = 'GET /v1/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const FEW = 5
const TIMEOUT = { timeout: 280_000 }

/** Both ends of a connection through a proxy, and what each has read. */
interface Ends {
  readonly proxy: ChaosProxy
  readonly client: Socket
  readonly server: Socket
  readonly atClient: { text: string, ended: string }
  readonly atServer: { text: string, ended: string }
}

function noted (socket: Socket): { text: string, ended: string } {
  const seen = { text: '', ended: '' }
  socket.setEncoding('utf8').on('data', chunk => { seen.text += String(chunk) })
  socket.on('end', () => { seen.ended ||= 'fin' })
  socket.on('error', () => { seen.ended ||= 'rst' })
  return seen
}

async function startEnds (t: Test): Promise<Ends> {
  const arrived: Socket[] = []
  const port = await listen(t, createServer({ allowHalfOpen: true }, socket => { arrived.push(socket) }))
  const proxy = await ChaosProxy.start(port, new Choices(1))
  t.teardown(() => { proxy.close() })
  const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  const atClient = noted(client)
  client.write(UPGRADE)
  await until('the server has a connection', () => arrived.length === 1)
  const server = arrived[0]!
  const atServer = noted(server)
  await until('the request has arrived', () => atServer.text === UPGRADE)
  atServer.text = ''
  t.teardown(() => {
    client.destroy()
    server.destroy()
  })
  return { proxy, client, server, atClient, atServer }
}

/** Another connection is made meanwhile: what has not come by then is held up, and not just late. */
async function othersPass (t: Test, port: number): Promise<void> {
  const client = connect(port, '127.0.0.1')
  t.teardown(() => { client.destroy() })
  await new Promise(resolve => { client.once('connect', resolve) })
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => { setImmediate(resolve) })
}

test('passes bytes on in both directions', TIMEOUT, async t => {
  const { client, server, atClient, atServer } = await startEnds(t)
  client.write('up')
  server.write('down')
  await until('both have arrived', () => atClient.text === 'down' && atServer.text === 'up')
  server.end('last')
  await until('the end has arrived', () => atClient.text === 'downlast' && atClient.ended === 'fin')
  client.end('words')
  await until('the other end has arrived', () => atServer.ended === 'fin')
  t.equal(atServer.text, 'upwords')
})

test('cuts with RST, and with FIN', TIMEOUT, async t => {
  for (const how of ['rst', 'fin'] as const) {
    const { proxy, atClient, atServer } = await startEnds(t)
    proxy.each(connection => { connection.cut(how) })
    await until('both ends know', () => atClient.ended !== '' && atServer.ended !== '')
    t.equal(atClient.ended, how)
  }
})

test('stalls, and then goes on without losing a byte', TIMEOUT, async t => {
  const { proxy, client, server, atClient, atServer } = await startEnds(t)
  proxy.stall()
  client.write('up')
  server.write('down')
  await othersPass(t, proxy.port)
  t.same([atClient.text, atServer.text], ['', ''])
  proxy.goOn()
  await until('all has arrived', () => atClient.text === 'down' && atServer.text === 'up')
})

test('lets one side go, and tells the other one nothing', TIMEOUT, async t => {
  const first = await startEnds(t)
  first.proxy.each(connection => { connection.loseServer() })
  await until('the server knows', () => first.atServer.ended !== '')
  first.client.write('is anybody there?')
  await othersPass(t, first.proxy.port)
  t.equal(first.atClient.ended, '')

  const second = await startEnds(t)
  second.proxy.each(connection => { connection.loseClient() })
  await until('the client knows', () => second.atClient.ended !== '')
  second.server.write('is anybody there?')
  await othersPass(t, second.proxy.port)
  t.equal(second.atServer.ended, '')
})

test('passes on a few bytes at a time, late, and in order', TIMEOUT, async t => {
  const { proxy, client, server, atClient } = await startEnds(t)
  Object.assign(proxy.pace, { latencyMs: 5, jitterMs: 20, bytesAtOnce: 7 })
  const text = Array.from({ length: 100 }, (_, number) => `line ${number}\n`).join('')
  let pieces = 0
  // Without the pace, what is written at once is read at once.
  client.on('data', () => { pieces++ })
  server.write(text)
  await until('all has arrived', () => atClient.text.length === text.length)
  t.equal(atClient.text, text)
  t.ok(pieces > FEW, `it came in ${pieces} pieces`)
})

test('refuses connections, and listens again at the same port', TIMEOUT, async t => {
  const { proxy } = await startEnds(t)
  proxy.refuse()
  const attempt = async (): Promise<string> => await new Promise(resolve => {
    const socket = connect(proxy.port, '127.0.0.1', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.on('error', error => { resolve((error as NodeJS.ErrnoException).code ?? '') })
  })
  t.equal(await attempt(), 'ECONNREFUSED')
  await proxy.listen()
  t.equal(await attempt(), 'connected')
})

test('holds back an event stream, with its head or without, until it ends or is let go', TIMEOUT, async t => {
  let stream: { write (text: string): void, end (text: string): void } | undefined
  const port = await listen(t, createHttpServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    stream = response
  }))
  const proxy = await ChaosProxy.start(port, new Choices(1))
  t.teardown(() => { proxy.close() })
  for (const [held, isEnded] of [['body', false], ['body', true], ['all', false], ['all', true]] as const) {
    stream = undefined
    proxy.holdBack(held)
    let text = ''
    let response: IncomingMessage | undefined
    const request = get(`${proxy.origin}/v1/stream`, { agent: false, headers: { accept: 'text/event-stream' } }, answer => {
      response = answer
      answer.setEncoding('utf8').on('data', chunk => { text += String(chunk) })
    })
    await until('the server streams', () => stream !== undefined)
    if (held === 'body') await until('the head has come', () => response !== undefined)
    stream!.write('data: 1\n\n')
    await othersPass(t, proxy.port)
    t.same([response !== undefined, text], [held === 'body', ''], `${held} is held back`)
    if (isEnded) stream!.end('data: 2\n\n')
    else proxy.release()
    await until('it has come', () => text === `data: 1\n\n${isEnded ? 'data: 2\n\n' : ''}`)
    request.destroy()
    proxy.release()
  }
})

test('answers requests of a kind with a page, or not at all', TIMEOUT, async t => {
  const port = await listen(t, createHttpServer((_request, response) => { response.end('the server') }))
  const proxy = await ChaosProxy.start(port, new Choices(1))
  t.teardown(() => { proxy.close() })
  const ask = async (accept: string): Promise<string> => await new Promise((resolve, reject) => {
    get(proxy.origin, { agent: false, headers: { accept } }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', chunk => { text += String(chunk) })
      answer.on('end', () => { resolve(`${answer.statusCode} ${answer.headers['content-type'] ?? ''} ${text}`) })
    }).on('error', reject)
  })
  proxy.treatments.set('event-stream', pages[502])
  t.match(await ask('text/event-stream'), /^502 text\/html <html>/)
  t.equal(await ask('application/json'), '200  the server')
  proxy.treatments.set('event-stream', 'hang')
  let isAnswered = false
  const request = get(proxy.origin, { agent: false, headers: { accept: 'text/event-stream' } }, () => { isAnswered = true })
  request.on('error', () => {})
  await until('it has come', () => proxy.seen['event-stream'] === 2)
  await ask('application/json')
  t.notOk(isAnswered)
  request.destroy()
})
