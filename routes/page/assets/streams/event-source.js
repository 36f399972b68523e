/* global EventSource */
import { askWhy, streamUrl } from './request.js'
import { Retry } from './retry.js'

/**
 * The stream over the browser's own EventSource, which comes back by itself with its own `Last-Event-ID`, after the
 * time that the server's `retry:` named. It gives up only where it was refused: then a new one is made.
 * @param {{ subscribe: string[], token?: string }} stream
 * @param {import('../column.js').StreamEvents} events
 * @returns {{ close: () => void }}
 */
export function openEventSource (stream, events) {
  const retry = new Retry()
  /** The last event id: what the browser goes on from, and after a refusal this page. */
  let cursor
  let closing
  let source
  let timer
  let closed = false

  function connect () {
    source = new EventSource(streamUrl({ ...stream, after: cursor }))
    source.onmessage = ({ data }) => take(JSON.parse(data))
    source.addEventListener('cursor', ({ lastEventId }) => {
      cursor = lastEventId
      events.onCursor()
    })
    source.onerror = () => {
      events.onLost(closing?.code)
      closing = undefined
      if (source.readyState === EventSource.CLOSED) retryRefused()
    }
  }

  async function retryRefused () {
    const { status, message, retryAfterMs } = await askWhy({ ...stream, after: cursor })
    if (closed) return
    const wait = retry.after(status, retryAfterMs)
    if (wait === undefined) return events.onStopped(message)
    timer = setTimeout(connect, wait)
  }

  function take (message) {
    switch (message.type) {
      case 'welcome':
        retry.succeeded()
        events.onServerTime(Date.parse(message.server_time))
        return events.onConnected(message.connection_id, cursor !== undefined)
      case 'closing':
        closing = message
        return
      case 'heartbeat':
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
      source.close()
    },
  }
}
