import { WebSocket as PartySocket } from 'partysocket'
import WebSocket from 'ws'
import { askSocket, lost, take } from './report.js'

const socket = new PartySocket(() => askSocket(), 'tickwire.v1.batch', { WebSocket, maxReconnectionDelay: 2000, minReconnectionDelay: 500, connectionTimeout: 30_000 })
socket.addEventListener('message', ({ data }) => { take(data) })
socket.addEventListener('close', ({ code, reason }) => { lost(`${code ?? ''} ${reason ?? ''}`) })
