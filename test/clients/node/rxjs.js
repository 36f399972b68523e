import { defer, repeat, retry, timer } from 'rxjs'
import { webSocket } from 'rxjs/webSocket'
import WebSocket from 'ws'
import { askSocket, lost, pauseMs, take } from './report.js'

const later = ({ code = '', reason = 'the socket closed' } = {}) => {
  lost(`${code} ${reason}`)
  return timer(pauseMs())
}

// A clean close (1001) completes the observable, and any other close is an error; the client must reconnect
// after both. `defer` asks for the URL anew each time.
defer(() => webSocket({
  url: askSocket(),
  protocol: 'tickwire.v1.batch',
  WebSocketCtor: WebSocket,
  deserializer: ({ data }) => data
})).pipe(
  repeat({ delay: () => later() }),
  retry({ delay: later })
).subscribe(take)
