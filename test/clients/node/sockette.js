import Sockette from 'sockette'
import WebSocket from 'ws'
import { again, askSocket, take } from './report.js'

globalThis.WebSocket = WebSocket

// By itself the library reconnects to the same URL, without the cursor, and after 1001 not at all. The
// program therefore stops the library's attempts and makes the next connection itself.
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
