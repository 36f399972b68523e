import { WebSocket } from 'undici'
import { again, askSocket, take } from './report.js'

function open () {
  const socket = new WebSocket(askSocket(), 'tickwire.v1.batch')
  socket.onmessage = ({ data }) => { take(data) }
  socket.onclose = ({ code, reason }) => { again(open, code, reason) }
}

open()
