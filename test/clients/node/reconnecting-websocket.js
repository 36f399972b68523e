import ReconnectingWebSocket from 'reconnecting-websocket'
import WebSocket from 'ws'
import { askSocket, lost, take } from './report.js'

// It asks for the URL at each attempt: that is where the cursor goes in. An attempt of more than 4 s is given up by default, which ends a
// process that uses `ws`: nobody hears the error.
const socket = new ReconnectingWebSocket(() => askSocket(), 'tickwire.v1.json', { WebSocket, maxReconnectionDelay: 2000, minReconnectionDelay: 500, connectionTimeout: 30_000 })
socket.addEventListener('message', ({ data }) => { take(data) })
socket.addEventListener('close', ({ code, reason }) => { lost(`${code ?? ''} ${reason ?? ''}`) })
