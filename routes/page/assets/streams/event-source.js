/* global EventSource */
import { askWhy, streamUrl } from './request.js'
import { Retry } from './retry.js'

/**
 * Opens the stream over the browser's own EventSource. The browser reconnects by itself with `Last-Event-ID`,
 * after the time that the server's `retry:` named. It gives up only if the server refuses; then this page
 * makes a new one.
 * @param {{ subscribe: string[], token?: string }} stream
 * @param {import('../column.js').StreamEvents} events
 * @returns {{ close: () => void }}
 */
export function openEventSource (stream, events) {
  const retry = new Retry()
  /** The last event id: the browser resumes from it, and so does this page after a refusal. */
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
