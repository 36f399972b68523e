import { WebSocketServer } from 'ws'
import { Envelopes, serve, topicsOf } from './serve.js'

/** @type {Map<string, Set<import('ws').WebSocket>>} */
const readers = new Map()
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('connection', (socket, request) => {
  const topics = topicsOf(request.url)
  for (const topic of topics) readers.set(topic, (readers.get(topic) ?? new Set()).add(socket))
  socket.on('close', () => { for (const topic of topics) readers.get(topic)?.delete(socket) })
})
const envelopes = new Envelopes()
server.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  serve(port, batch => {
    for (const trade of batch) {
      const text = JSON.stringify(envelopes.wrap(trade))
      for (const socket of readers.get(trade.symbol) ?? []) socket.send(text)
    }
  })
})
