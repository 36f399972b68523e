import { endOf, errorText, findRefused, headersOf, refusalOf, streamUrl } from './refusals.js'
import { sseParser } from './sse-parser.js'
import type { End, Environment, Link, LinkEvents, Request, Transport } from './transport.js'
import { HEARTBEAT_SECONDS, messagesOf } from './websocket.js'

/** How long a stream may stay silent after a poll has found messages that it should have brought. */
const BEHIND_MS = 500
/** How long the answer to a probe may take. */
const PROBE_MS = 1500

/** Reads an event stream by `fetch`, so that it can send headers and read refusals. */
function open (request: Request, { onLife, onMessage, onEnd }: LinkEvents, { fetch }: Environment): Link {
  const abort = new AbortController()
  const { signal } = abort
  let heard = 0
  const end = (reason: End): void => {
    if (signal.aborted) return
    abort.abort()
    onEnd(reason)
  }
  const life = (bytes: number): void => {
    heard++
    onLife(bytes)
  }
  const read = async (): Promise<End> => {
    const response = await fetch(streamUrl(request, `${request.query}&heartbeat=${HEARTBEAT_SECONDS}`), {
      headers: headersOf(request, { Accept: 'text/event-stream' }), cache: 'no-store', signal
    })
    if (response.headers.get('Content-Type')?.startsWith('text/event-stream') !== true) {
      return await refusalOf(response)
    }
    let closing: End | undefined
    const parse = sseParser((name, data) => {
      if (signal.aborted) return
      if (name === 'cursor') return onMessage({ type: 'cursor', cursor: data })
      for (const message of messagesOf(data)) {
        if (message.type === 'closing') closing = endOf(message)
        else onMessage(message)
      }
    })
    const decoder = new TextDecoder()
    const reader = response.body!.getReader()
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        life(part.value.length)
        parse(decoder.decode(part.value, { stream: true }))
      }
    } catch (error) {
      // The server may end a compressed stream without the trailer that readers ask for.
      if (closing === undefined) throw error
    }
    return closing ?? { reason: 'the event stream ended' }
  }
  read().then(end, (error: unknown) => { end({ reason: errorText(error) }) })
  return {
    /** A poll from the cursor says whether the stream should have brought something meanwhile. */
    probe (query) {
      if (query === '') return
      const before = heard
      const endIf = (reason: string) => (): void => { if (heard === before) end({ reason }) }
      const unanswered = setTimeout(endIf('neither the event stream nor a poll had an answer'), PROBE_MS)
      fetch(streamUrl(request, query), { headers: headersOf(request), cache: 'no-store', signal })
        .then(async response => {
          const { messages } = await response.json() as { messages: readonly unknown[] }
          clearTimeout(unanswered)
          if (messages.length === 0) return
          setTimeout(endIf('the event stream did not bring what a poll brought'), BEHIND_MS)
        }).catch(() => {})
    },
    close () { abort.abort() }
  }
}

export const eventStream: Transport = {
  name: 'event-stream',
  duplex: false,
  isStream: true,
  probeAfterMs: 2500,
  deadAfterMs: 1000 * (HEARTBEAT_SECONDS + 1),
  open,
  findRefused
}
