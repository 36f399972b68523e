import { policyOf } from '../retry.js'
import { askWhy, endOf, findRefused, streamUrl } from './refusals.js'
import type { End, Environment, Link, LinkEvents, Request, Transport } from './transport.js'
import { HEARTBEAT_SECONDS, messagesOf } from './websocket.js'

/** Of an EventSource that has given up. */
const CLOSED = 2

/**
 * Reads an event stream by the browser's own EventSource, which comes back by itself with `Last-Event-ID`. It
 * sends no header, so the token is in the URL.
 */
function open (
  request: Request, { onLife, onMessage, onEnd, onBreak }: LinkEvents, environment: Environment
): Link {
  if (typeof EventSource !== 'function') {
    const reason = 'there is no EventSource here; use the transport event-stream'
    queueMicrotask(() => { onEnd({ reason }) })
    return { close () {} }
  }
  const token = request.token === undefined ? '' : `&token=${encodeURIComponent(request.token)}`
  const source = new EventSource(
    streamUrl(request, `${request.query}&heartbeat=${HEARTBEAT_SECONDS}${token}`)
  )
  let closing: End | undefined
  let over = false
  const end = (reason: End): void => {
    if (over) return
    over = true
    source.close()
    onEnd(reason)
  }
  source.onmessage = ({ data }: MessageEvent<string>) => {
    onLife(data.length)
    for (const message of messagesOf(data)) {
      if (message.type === 'closing') closing = endOf(message)
      else onMessage(message)
    }
  }
  source.addEventListener('cursor', ({ data }: MessageEvent<string>) => {
    onLife(data.length)
    onMessage({ type: 'cursor', cursor: data })
  })
  source.onerror = () => {
    const said = closing ?? { reason: 'the EventSource lost its connection' }
    closing = undefined
    const policy = policyOf(said)
    if (policy === 'stop' || policy === 'renew') end(said)
    else if (source.readyState !== CLOSED) (onBreak ?? end)(said)
    // A browser does not say why the server refused an EventSource.
    else void askWhy(request, 'the EventSource was refused', environment).then(end)
  }
  return {
    close () {
      over = true
      source.close()
    }
  }
}

/** The browser's own EventSource, for those who ask for it; `event-stream` can do more. */
export const eventSource: Transport = {
  name: 'event-source',
  duplex: false,
  isStream: true,
  probeAfterMs: Infinity,
  deadAfterMs: 1000 * (HEARTBEAT_SECONDS + 1),
  open,
  findRefused
}
