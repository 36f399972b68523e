import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { certificate } from '../../plugins/certificate.js'
import { localhost } from '../../plugins/localhost.js'
import { sockets } from '../../plugins/sockets.js'
import { socketLimit } from '../../plugins/socket-limit.js'
import { readKeyPair, tlsOptions } from '../../src/tls.js'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'

/**
 * HOST=localhost on a machine where that is more than one address; here two that every Linux has, with or
 * without IPv6.
 */
const ADDRESSES = ['127.0.0.1', '127.0.0.2']
const onLinux = { skip: process.platform === 'linux' ? false : 'only Linux has 127.0.0.2 by itself' }

async function start (t: Test, app: FastifyInstance): Promise<{ port: number, close: () => Promise<void> }> {
  await app.register(sockets, { graceMs: 10_000 })
  await app.register(localhost, { addresses: async () => ADDRESSES })
  app.get('/', async () => 'here')
  await app.listen({ port: 0, host: ADDRESSES[0]! })
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => { await (closed ??= app.close()) }
  t.teardown(close)
  return { port: (app.server.address() as AddressInfo).port, close }
}

test('listens at all addresses of localhost, counts the connections of all, and closes them', onLinux, async t => {
  const app = Fastify()
  // By default these connections come from 127.0.0.1, or from the address that they connect to.
  await app.register(socketLimit, { maxPerAddress: 2 })
  const { port, close } = await start(t, app)
  for (const address of ADDRESSES) {
    const answer = await fetch(`http://${address}:${port}/`, { headers: { connection: 'close' } })
    t.equal(await answer.text(), 'here', address)
  }
  const open = await Promise.all([1, 2].map(async () => {
    const socket = connect({ port, host: ADDRESSES[1]!, localAddress: '127.0.0.3' })
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    return socket
  }))
  const third = connect({ port, host: ADDRESSES[1]!, localAddress: '127.0.0.3' })
  third.on('error', () => {})
  await once(third, 'close')
  const ended = Promise.all(open.map(async socket => { await once(socket.resume(), 'close') }))
  await close()
  await ended
  const late = connect({ port, host: ADDRESSES[1]! })
  const [error] = await once(late, 'error') as [NodeJS.ErrnoException]
  t.equal(error.code, 'ECONNREFUSED', 'nobody listens there any more')
})

test('shows a new certificate to those who connect, at whichever address', onLinux, async t => {
  const files = new CertificateFiles(t, makeCertificate('first'))
  const paths = { cert: files.cert, key: files.key }
  const pair = await readKeyPair(paths)
  const app = Fastify({ https: tlsOptions(pair) }) as unknown as FastifyInstance
  await app.register(certificate, { files: paths, pair })
  const { port } = await start(t, app)
  const shown = async (host: string): Promise<string> => {
    const socket = connectTls({ port, host, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const name = String(socket.getPeerCertificate().subject.CN)
    socket.destroy()
    return name
  }
  for (const address of ADDRESSES) t.equal(await shown(address), 'first', address)
  files.write(makeCertificate('second'))
  for (let name = 'first'; name !== 'second';) name = await shown(ADDRESSES[0]!)
  t.equal(await shown(ADDRESSES[1]!), 'second')
})
