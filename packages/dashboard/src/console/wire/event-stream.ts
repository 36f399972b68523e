import { problemOfAnswer, problemOfError } from './problem.js'
import { type Address, ask, type Wire, type WireEvents } from './wire.js'

/** Opens an event stream by `fetch`, which can send a token in a header. */
export function openEventStream (address: Address, events: WireEvents): Wire {
  const ending = new AbortController()
  const run = async (): Promise<void> => {
    const answer = await ask(address, { signal: ending.signal }, { Accept: 'text/event-stream' })
    if (!answer.ok || answer.body === null) {
      events.onEnd(problemOfAnswer(answer.status, await answer.text()))
      return
    }
    events.onOpen()
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const blocks = (rest + value).split(/\r?\n\r?\n/)
      rest = blocks.pop()!
      for (const block of blocks) if (block !== '') events.onFrame('event', block)
    }
    events.onEnd(undefined)
  }
  run().catch((error: unknown) => { if (!ending.signal.aborted) events.onEnd(problemOfError(error)) })
  return { send: cannotSend, close () { ending.abort() } }
}

export function cannotSend (): never {
  throw new Error('only a WebSocket sends messages')
}
