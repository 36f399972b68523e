import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { Envelopes, serve, topicsOf } from './serve.js'

const http = createServer()
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, pingInterval: 600_000 })
io.on('connection', async socket => { await socket.join(topicsOf(socket.request.url)) })
const envelopes = new Envelopes()
http.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  serve(port, batch => {
    for (const trade of batch) io.to(trade.symbol).emit('trade', envelopes.wrap(trade))
  })
})
