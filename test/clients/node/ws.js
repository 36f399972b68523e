import WebSocket from 'ws'
import { again, askSocket, take } from './report.js'

function open () {
  const socket = new WebSocket(askSocket(), 'tickwire.v1.json')
  let reason = ''
  socket.on('message', data => { take(String(data)) })
  socket.on('error', error => { reason = error.message })
  socket.on('close', (code, text) => { again(open, code, reason || text) })
}

open()
