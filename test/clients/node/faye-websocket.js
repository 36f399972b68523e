import websocket from 'faye-websocket'
import { again, askSocket, take } from './report.js'

function open () {
  const socket = new websocket.Client(askSocket(), ['tickwire.v1.batch'])
  socket.on('message', ({ data }) => { take(data) })
  socket.on('error', () => {})
  socket.on('close', ({ code, reason }) => { again(open, code, reason) })
}

open()
