import { streamUrl } from './request.js'
import { Retry } from './retry.js'

const WAIT_SECONDS = 20
/** The pause between two polls: a busy topic has answers ready for more requests than a client may make. */
const PAUSE_MS = 50

/** Names a connection: a poll has no `welcome`, so the client does that itself. */
function connectionId () {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))]
  return bytes.map(byte => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Opens the stream over one request after another. The server holds each until there is something to answer.
 * @param {{ subscribe: string[], token?: string }} stream
 * @param {import('../column.js').StreamEvents} events
 * @returns {{ close: () => void }}
 */
export function openPoll ({ subscribe, token }, events) {
  const retry = new Retry()
  const closed = new AbortController()
  const { signal } = closed
  let cursor
  let connected = false
  let id = connectionId()

  async function ask () {
    // The first request does not wait, so that its answer shows at once that the connection is back.
    const url = streamUrl({ subscribe, after: cursor }, { wait: connected ? WAIT_SECONDS : 0 })
    const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    const headers = { 'X-Request-Id': id, ...authorization }
    const response = await fetch(url, { headers, signal })
    const answer = await response.json()
    if (!response.ok) throw Object.assign(new Error(answer.message), { status: response.status, answer })
    events.onServerTime(Date.parse(response.headers.get('Date')))
    if (!connected) events.onConnected(id, cursor !== undefined)
    connected = true
    retry.succeeded()
    for (const message of answer.messages) events.onMessage(message)
    cursor = answer.cursor
    events.onCursor()
  }

  /** @returns {Promise<number | undefined>} milliseconds until the next request; undefined: none */
  async function next () {
    try {
      await ask()
      return PAUSE_MS
    } catch (error) {
      if (signal.aborted) return undefined
      const wait = retry.after(error.status, error.answer?.retry_after_ms)
      if (wait === undefined) events.onStopped(error.message)
      else events.onLost(error.answer?.code)
      connected = false
      id = connectionId()
      return wait
    }
  }

  async function run () {
    for (let wait = 0; wait !== undefined; wait = await next()) {
      if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
    }
  }

  run()
  return { close () { closed.abort() } }
}
