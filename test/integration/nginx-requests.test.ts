import { test } from 'tap'
import { WebSocket } from 'ws'
import { openClient } from '../helpers/clients.js'
import { startNginx } from '../helpers/nginx.js'
import { startServer } from '../helpers/server.js'
import { type From, get, needsNginx, program } from './through-nginx.js'

test('passes bodies up to the size that the server takes, and refuses larger ones as the protocol says', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  const post = async (body: string): Promise<{ status: number, answer: unknown }> => {
    const response = await fetch(`${nginx.origin}/v1/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.token()}` },
      body
    })
    return { status: response.status, answer: await response.json() }
  }
  const batch = (bytes: number): string =>
    JSON.stringify([{ channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: '1' } }]).padEnd(bytes)
  const mebibyte = 1024 * 1024
  t.match(await post(batch(100)), { status: 200, answer: { accepted: 1, sequences: [1] } })
  t.match(await post(batch(8 * mebibyte)), { status: 200, answer: { accepted: 1, sequences: [2] } }, '8 MiB')
  const tooBig = { status: 413, answer: { type: 'error', code: 'message_too_big' } }
  t.match(await post(batch(8 * mebibyte + 1)), tooBig, 'one byte more')
})

test('counts clients by their own address, whatever X-Forwarded-For they send', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true, MAX_CONNECTIONS_PER_IP: 2 })
  const nginx = await startNginx(t, program!, server.origin)
  const stream = async (from: From): Promise<number | undefined> => {
    const headers = { accept: 'text/event-stream', ...from.headers }
    return (await get(t, `${nginx.origin}/v1/stream?subscribe=quotes:A`, { ...from, headers })).statusCode
  }
  const claiming = (address: string): From => ({
    localAddress: '127.0.0.1',
    headers: { 'x-forwarded-for': address }
  })
  t.equal(await stream(claiming('10.0.0.1')), 200)
  t.equal(await stream(claiming('10.0.0.2, 10.0.0.3')), 200)
  t.equal(await stream(claiming('10.0.0.4')), 429, 'a third one of the same address')
  t.equal(await stream({ localAddress: '127.0.0.2' }), 200, 'the first one of another')
})

test('passes on the Host that a page sees: its own pages may connect, others may not', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  const open = async (origin: string): Promise<unknown> => {
    const socket = new WebSocket(`${nginx.origin.replace('http', 'ws')}/v1/stream`, 'tickwire.v1.json', {
      origin
    })
    t.teardown(() => { socket.terminate() })
    return await new Promise(resolve => {
      socket
        .on('open', () => {
          resolve('open')
        })
        .on('error', error => {
          resolve(error.message)
        })
    })
  }
  t.equal(await open(nginx.origin), 'open')
  t.match(await open(server.origin), '403')
})

test('upgrades to a WebSocket only', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  const { statusCode } = await get(t, `${nginx.origin}/healthz`, {
    headers: {
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA'
    }
  })
  t.equal(statusCode, 200, 'answered as without the upgrade')
})

test('passes a long token in a query, and logs no part of it', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true, AUTH: 'required' })
  const nginx = await startNginx(t, program!, server.origin)
  const token = server.token({ padding: 'x'.repeat(5900) })
  const { pathname, search } = new URL(`/v1/stream?subscribe=quotes:A&token=${token}`, nginx.origin)
  const url = nginx.origin + pathname + search
  t.ok(token.length > 8000 && token.length <= 8192, `${token.length} characters`)

  const { cursor } = await (await fetch(url)).json() as { cursor: string }
  t.ok(cursor)
  t.equal(
    (await fetch(`${url}&after=${'a'.repeat(512)}`)).status,
    400,
    'even beside the longest cursor, it is the cursor that is refused'
  )
  t.equal(
    (
      await get(t, url, {
        headers: { referer: `${nginx.origin}/?token=${token.slice(-40)}`, accept: 'text/event-stream' }
      })
    ).statusCode,
    200
  )
  const client = openClient('ws-json', nginx.origin, search.slice(1), undefined, {
    onMessage: () => {},
    onCursor: () => {
      client.cut()
    }
  })
  await client.ended
  const tooLong = await fetch(`${url}&after=${'a'.repeat(10_000)}`)
  t.equal(tooLong.status, 413)
  t.match(await tooLong.json(), { type: 'error', code: 'message_too_big' })

  await server.app.close()
  const refused = await fetch(url)
  t.equal(refused.status, 503, 'without a server')
  t.equal(refused.headers.get('retry-after'), '1')
  t.match(await refused.json(), { type: 'error', code: 'going_away', retry_after_ms: 1000 })

  await nginx.stop()
  const logs = nginx.logs()
  t.match(logs, '"GET /v1/stream HTTP/1.1" 101')
  t.match(logs, '"GET /v1/stream HTTP/1.1" 503')
  t.notMatch(logs, token.slice(-40), 'not the token')
  t.notMatch(logs, 'subscribe', 'nothing of a query')
})
