import websocket from 'websocket'
import { again, askSocket, take } from './report.js'

// Its frames end at 1 MiB and its messages at 8 MiB.
function open () {
  const client = new websocket.client() // eslint-disable-line new-cap
  client.on('connectFailed', error => { again(open, 1006, error.message.split('\n')[0]) })
  client.on('connect', connection => {
    connection.on('message', ({ utf8Data }) => { take(utf8Data) })
    connection.on('error', () => {})
    connection.on('close', (code, reason) => { again(open, code, reason) })
  })
  client.connect(askSocket(), 'tickwire.v1.json')
}

open()
