import { errorTable } from '@tickwire/protocol/errors'
import { endOf } from './refusals.js'
import type { End, Environment, Link, LinkEvents, Request, ServerMessage, Transport } from './transport.js'

/** A text frame is an array of messages (PROTOCOL.md, One URL). */
const SUBPROTOCOL = 'tickwire.v1.batch'
/** The shortest heartbeat that a client may ask for, in seconds. */
export const HEARTBEAT_SECONDS = 5

function open (
  { base }: Request, { onLife, onMessage, onEnd }: LinkEvents, { WebSocket }: Environment
): Link {
  if (WebSocket === undefined) {
    const reason = 'there is no WebSocket here; give the client one, such as that of the package ws'
    queueMicrotask(() => { onEnd({ reason }) })
    return { close () {} }
  }
  const url = `${base.replace(/^http/, 'ws')}v1/stream?heartbeat=${HEARTBEAT_SECONDS}`
  const socket = new WebSocket(url, SUBPROTOCOL)
  let closing: End | undefined
  let over = false
  const end = (reason: End): void => {
    if (over) return
    over = true
    // A socket that is still connecting reports its end as an error, which is nobody's concern any more.
    socket.close()
    onEnd(reason)
  }
  socket.onmessage = ({ data }) => {
    if (over || typeof data !== 'string') return
    onLife(data.length)
    let messages: readonly ServerMessage[]
    try {
      messages = JSON.parse(data) as ServerMessage[]
    } catch {
      end({ reason: 'the server sent what is not JSON' })
      return
    }
    for (const message of messages) {
      if (message.type === 'closing') closing = endOf(message)
      else if (!over) onMessage(message)
    }
  }
  socket.onerror = () => {}
  socket.onclose = ({ code, reason }) => { end(closing ?? endOfClose(code, reason)) }
  return {
    send (action) {
      if (socket.readyState === 1) socket.send(JSON.stringify(action))
    },
    probe () {
      this.send?.({ action: 'ping' })
    },
    close () {
      over = true
      socket.close()
    }
  }
}

/** Returns what a close says: a code of the table counts also without a `closing` before it. */
function endOfClose (close: number, reason: string): End {
  for (const [code, entry] of Object.entries(errorTable)) {
    if (entry.close === close) return endOf({ type: '', code, reason: reason || entry.message })
  }
  return { reason: `the WebSocket was closed with ${close}` }
}

export const webSocket: Transport = {
  name: 'websocket', duplex: true, probeAfterMs: 2500, deadAfterMs: 4000, open
}
