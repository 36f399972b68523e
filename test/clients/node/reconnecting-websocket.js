import ReconnectingWebSocket from 'reconnecting-websocket'
import WebSocket from 'ws'
import { askSocket, lost, take } from './report.js'

// The library asks for the URL at each attempt, and that is where the cursor goes in. By default it gives up
// an attempt that takes more than 4 s. That ends a process that uses `ws`, because nothing listens for the
// error.
const socket = new ReconnectingWebSocket(() => askSocket(), 'tickwire.v1.json', {
  WebSocket,
  maxReconnectionDelay: 2000,
  minReconnectionDelay: 500,
  connectionTimeout: 30_000
})
socket.addEventListener('message', ({ data }) => { take(data) })
socket.addEventListener('close', ({ code, reason }) => { lost(`${code ?? ''} ${reason ?? ''}`) })
