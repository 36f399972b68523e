import Sockette from 'sockette'
import WebSocket from 'ws'
import { again, askSocket, take } from './report.js'

globalThis.WebSocket = WebSocket

// By itself it comes back to the same URL, without the cursor, and behind 1001 not at all: its attempts are called off, and the
// program makes the next.
function open () {
  const socket = Sockette(askSocket(), {
    protocols: 'tickwire.v1.json',
    onmessage: ({ data }) => { take(data) },
    onclose: ({ code, reason }) => {
      socket.close()
      again(open, code, reason)
    },
    onerror: () => {}
  })
}

open()
