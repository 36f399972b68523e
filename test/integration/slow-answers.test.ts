import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { slowReaders, type SlowReadersOptions } from '../../plugins/slow-readers.js'
import { makeCertificate } from '../helpers/certificate.js'
import { until } from '../helpers/clients.js'

/** Clients that do not read what they asked for, and clients that read it slowly. */

/** More than the system takes for a client that does not read. */
const LONG = 64 << 20
const ENDED = 'the server ended it'

interface Server { readonly open: () => number, readonly dial: () => Socket }

async function start (
  t: Test, limits: SlowReadersOptions, certificate?: { readonly cert: string, readonly key: string }
): Promise<Server> {
  const app = (certificate === undefined
    ? Fastify()
    : Fastify({ https: certificate })) as unknown as FastifyInstance
  await app.register(slowReaders, limits)
  app.get('/long', async () => Buffer.alloc(LONG))
  app.get('/short', async () => 'short')
  let open = 0
  app.server.on(certificate === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    open++
    socket.on('error', () => {})
    socket.once('close', () => { open-- })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const sockets: Socket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await app.close()
  })
  return {
    open: () => open,
    dial () {
      const to = { port, host: '127.0.0.1' }
      const tls = { ...to, ca: certificate?.cert, checkServerIdentity: () => undefined }
      const socket = certificate === undefined ? connect(to) : connectTls(tls)
      sockets.push(socket.on('error', () => {}))
      return socket
    }
  }
}

const ask = (socket: Socket, path: string): void => {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
}

for (const [name, certificate] of [['plain', undefined], ['over TLS', makeCertificate('slow')]] as const) {
  test(`closes a connection that reads nothing of its answer, even if it goes on sending: ${name}`, async t => {
    const server = await start(t, { patienceMs: 500 }, certificate)
    const sockets = [server.dial(), server.dial()]
    for (const socket of sockets) {
      socket.pause()
      ask(socket, '/long')
    }
    await until('both are there', () => server.open() === 2)
    const talk = setInterval(() => { sockets[1]!.write('\r\n') }, 50)
    await until(ENDED, () => server.open() === 0)
    clearInterval(talk)
  })

  test(`waits for a client that reads slowly and steadily: ${name}`, async t => {
    const patienceMs = 400
    const server = await start(t, { patienceMs, leastBytesPerSecond: 1 << 20 }, certificate)
    const socket = server.dial()
    ask(socket, '/long')
    let bytes = 0
    const began = performance.now()
    for await (const chunk of socket) {
      bytes += (chunk as Buffer).length
      // Sixteen times as fast as necessary, over much longer than the patience.
      const due = began + bytes / (16 << 20) * 1000
      if (due > performance.now()) {
        await new Promise(resolve => { setTimeout(resolve, due - performance.now()) })
      }
      if (bytes > LONG) break
    }
    t.ok(bytes > LONG, 'all of it, with its head')
    t.ok(performance.now() - began > 2 * patienceMs)
  })
}

test('closes a connection that drips, though it reads something all the time', async t => {
  const server = await start(t, { patienceMs: 500, leastBytesPerSecond: 32 << 20 })
  const socket = server.dial()
  socket.pause()
  ask(socket, '/long')
  await until('it is there', () => server.open() === 1)
  const drip = setInterval(() => { socket.read(1000) }, 20)
  await until(ENDED, () => server.open() === 0)
  clearInterval(drip)
})

test('lets a connection rest whose answers were read', async t => {
  const server = await start(t, { patienceMs: 50 })
  const socket = server.dial()
  for (let turn = 0; turn < 3; turn++) {
    ask(socket, '/short')
    await once(socket, 'data')
    await new Promise(resolve => { setTimeout(resolve, 200) })
  }
  t.equal(server.open(), 1)
})
