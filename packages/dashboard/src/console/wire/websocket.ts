import { problemOfAnswer, problemOfClose } from './problem.js'
import { type Address, ask, type Wire, type WireEvents } from './wire.js'

/** A channel without symbols, which every server has: a request that only asks whether it would be let in. */
const QUESTION = 'system'

/** Opens a WebSocket. */
export function openWebSocket (address: Address, protocol: string, events: WireEvents): Wire {
  const url = new URL(address.url)
  url.protocol = url.protocol.replace('http', 'ws')
  const socket = new WebSocket(url, protocol)
  let isOpen = false
  let isOver = false
  socket.onopen = () => {
    isOpen = true
    events.onOpen()
  }
  socket.onmessage = ({ data }) => { if (!isOver) events.onFrame('message', String(data)) }
  socket.onclose = ({ code, reason }) => {
    if (isOver) return
    isOver = true
    if (isOpen) events.onEnd(problemOfClose(code, reason))
    else void whyNot(address).then(problem => { events.onEnd(problem) })
  }
  return {
    send (text) { socket.send(text) },
    close () {
      isOver = true
      socket.close()
    }
  }
}

/** A browser does not say why a server refused the upgrade; the same request by `fetch` does. */
async function whyNot (address: Address): Promise<ReturnType<typeof problemOfAnswer>> {
  const url = new URL(address.url)
  url.searchParams.set('subscribe', QUESTION)
  try {
    if (!(await ask({ ...address, url }, { method: 'HEAD' })).ok) {
      const answer = await ask({ ...address, url })
      return problemOfAnswer(answer.status, await answer.text())
    }
  } catch {}
  return { words: 'the WebSocket could not be opened', close: 1006 }
}
