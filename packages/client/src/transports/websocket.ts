import { errorPolicies } from '@tickwire/protocol/error-policies'
import { askWhy, endOf } from './refusals.js'
import type { End, Environment, Link, LinkEvents, Request, ServerMessage, Transport } from './transport.js'

/** A text frame is an array of messages (PROTOCOL.md, One URL). */
const SUBPROTOCOL = 'tickwire.v1.batch'
/** The shortest heartbeat that a client may ask for, in seconds. */
export const HEARTBEAT_SECONDS = 5

function open (
  request: Request, { onLife, onMessage, onEnd }: LinkEvents, environment: Environment
): Link {
  const { WebSocket } = environment
  if (WebSocket === undefined) {
    const reason = 'there is no WebSocket here; give the client one, such as that of the package ws'
    queueMicrotask(() => { onEnd({ reason }) })
    return { close () {} }
  }
  const url = `${request.base.replace(/^http/, 'ws')}v1/stream?heartbeat=${HEARTBEAT_SECONDS}`
  const socket = new WebSocket(url, SUBPROTOCOL)
  let closing: End | undefined
  let isOpen = false
  let over = false
  const end = (reason: End): void => {
    if (over) return
    over = true
    // A socket that is still connecting reports its end as an error, which is nobody's concern any more.
    socket.close()
    onEnd(reason)
  }
  socket.onopen = () => { isOpen = true }
  socket.onmessage = ({ data }) => {
    if (over || typeof data !== 'string') return
    onLife(data.length)
    for (const message of messagesOf(data)) {
      if (message.type === 'closing') closing = endOf(message)
      else if (!over) onMessage(message)
    }
  }
  socket.onerror = () => {}
  socket.onclose = ({ code, reason }) => {
    const said = closing ?? endOfClose(code, reason)
    // A browser does not say why an upgrade was refused.
    if (isOpen || over) end(said)
    else void askWhy(request, 'the WebSocket was refused', environment).then(end)
  }
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

/**
 * Returns the messages of a frame. What cannot be read is left out: if messages were in it, the next one
 * shows that they are missing.
 */
export function messagesOf (text: string): ServerMessage[] {
  try {
    const messages: unknown = JSON.parse(text)
    return [messages].flat().filter((message): message is ServerMessage =>
      typeof (message as ServerMessage | null)?.type === 'string')
  } catch {
    return []
  }
}

/** Returns what a close says: a code of the table counts also without a `closing` before it. */
function endOfClose (close: number, reason: string): End {
  for (const [code, [ofCode]] of Object.entries(errorPolicies)) {
    if (ofCode === close) return endOf({ type: '', code, reason: reason || code })
  }
  return { reason: `the WebSocket was closed with ${close}` }
}

export const webSocket: Transport = {
  name: 'websocket', duplex: true, isStream: true, probeAfterMs: 2500, deadAfterMs: 4000, open
}
