import { randomId } from '../random-id.js'
import { errorText, findRefused, headersOf, refusalOf, streamUrl } from './refusals.js'
import type { End, Environment, Link, LinkEvents, Request, ServerMessage, Transport } from './transport.js'

/** For how long the server may hold an answer. It is short, so that a dead peer is found soon. */
const WAIT_SECONDS = 2
/** The pause between two polls: a busy topic has answers ready for more requests than a client may make. */
const PAUSE_MS = 50

interface PollAnswer {
  readonly cursor: string
  readonly messages: readonly ServerMessage[]
}

/** Asks again and again; the server holds each request until there is something to answer. */
function open (request: Request, { onLife, onMessage, onEnd }: LinkEvents, { fetch }: Environment): Link {
  const abort = new AbortController()
  const { signal } = abort
  const id = randomId()
  const headers = headersOf(request, { 'X-Request-Id': id })
  const get = async (url: string): Promise<Response> =>
    await fetch(url, { headers, cache: 'no-store', signal })

  const ask = async (query: string): Promise<PollAnswer | End> => {
    const response = await get(streamUrl(request, query))
    onLife(0)
    if (!response.ok) return await refusalOf(response)
    const text = await textOf(response, onLife)
    return JSON.parse(text) as PollAnswer
  }

  const run = async (): Promise<End> => {
    // `fresh`, and the first position, are for the first answer.
    const again = request.query.replace(/&after=[^&]*/, '').replaceAll(';fresh', '')
    for (let query = request.query, first = true; ; first = false) {
      const answer = await ask(query)
      if (!('messages' in answer)) return answer
      if (first) {
        const epoch = request.uncertain === undefined ? undefined : await epochOf(request.uncertain)
        onMessage({ type: 'welcome', connection_id: id })
        if (epoch !== undefined) onMessage({ type: 'epoch', epoch })
      }
      for (const message of answer.messages) if (!signal.aborted) onMessage(message)
      if (!signal.aborted) onMessage({ type: 'cursor', cursor: answer.cursor })
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
      query = `${again}&after=${answer.cursor}&wait=${WAIT_SECONDS}`
    }
  }

  /** Asks for the present epoch behind the answer, so that what the answer repeats is of that epoch. */
  const epochOf = async (topic: string): Promise<string> => {
    const response = await get(`${request.base}v1/history?topic=${encodeURIComponent(topic)}&limit=1`)
    const { epoch } = await response.json() as { epoch?: string }
    // Without the topic in the log, what the client has of it is lost.
    return epoch ?? `unknown-${id}`
  }

  const end = (reason: End): void => {
    if (signal.aborted) return
    abort.abort()
    onEnd(reason)
  }
  run().then(end, (error: unknown) => { end({ reason: errorText(error) }) })
  return { close () { abort.abort() } }
}

/** Returns the text of an answer, and tells of each part that comes: a long answer is a sign of life. */
async function textOf (response: Response, onLife: (bytes: number) => void): Promise<string> {
  const decoder = new TextDecoder()
  const reader = response.body!.getReader()
  let text = ''
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    onLife(part.value.length)
    text += decoder.decode(part.value, { stream: true })
  }
  return text
}

export const polling: Transport = {
  name: 'polling',
  duplex: false,
  isStream: false,
  probeAfterMs: Infinity,
  deadAfterMs: 1000 * WAIT_SECONDS + 1500,
  open,
  findRefused
}
