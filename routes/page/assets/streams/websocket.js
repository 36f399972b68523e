/* global WebSocket */
import { askWhy, streamUrl } from './request.js'
import { Retry } from './retry.js'

/** With this subprotocol, a text frame is an array of messages. */
const SUBPROTOCOL = 'tickwire.v1.batch'

/**
 * Opens the stream over a WebSocket, which reconnects by itself with the last cursor.
 * @param {{ subscribe: string[], token?: string }} stream
 * @param {import('../column.js').StreamEvents} events
 * @returns {{ close: () => void }}
 */
export function openWebSocket (stream, events) {
  const retry = new Retry()
  let cursor
  let closing
  let socket
  let timer
  let closed = false

  function connect () {
    const url = streamUrl({ ...stream, after: cursor })
    url.protocol = url.protocol.replace('http', 'ws')
    const resumed = cursor !== undefined
    closing = undefined
    socket = new WebSocket(url, SUBPROTOCOL)
    let opened = false
    socket.onopen = () => { opened = true }
    socket.onmessage = ({ data }) => { for (const message of JSON.parse(data)) take(message, resumed) }
    socket.onclose = async ({ code }) => {
      if (opened) return again(code, closing?.retry_after_ms, closing?.reason)
      const { status, message, retryAfterMs } = await askWhy({ ...stream, after: cursor })
      again(status ?? code, retryAfterMs, message)
    }
  }

  function again (code, retryAfterMs, reason = `closed with ${code}`) {
    if (closed) return
    const wait = retry.after(code, retryAfterMs)
    if (wait === undefined) return events.onStopped(reason)
    events.onLost(closing?.code)
    timer = setTimeout(connect, wait)
  }

  function take (message, resumed) {
    if (closed) return
    switch (message.type) {
      case 'welcome':
        retry.succeeded()
        events.onServerTime(Date.parse(message.server_time))
        return events.onConnected(message.connection_id, resumed)
      case 'cursor':
      case 'heartbeat':
        // The cursor covers all messages before it: after a cut the stream resumes from here.
        cursor = message.cursor
        return events.onCursor()
      case 'closing':
        closing = message
        return
      default:
        events.onMessage(message)
    }
  }

  connect()
  return {
    close () {
      closed = true
      clearTimeout(timer)
      socket.close()
    },
  }
}
