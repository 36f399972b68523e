import type { Socket as NetSocket } from 'node:net'
import { buildConnector, Client, DecoratorHandler, type Dispatcher, WebSocket } from 'undici'
import { wordsOf } from '../../errors.js'

/** What a connection needs of a WebSocket. */
export interface Socket {
  send (text: string): void
  /** Closes it, and hears nothing more of it. */
  close (): void
}

export interface SocketEvents {
  opened (): void
  /** A message came: text, or the text that its bytes are in UTF-8. */
  frame (text: string): void
  /** It is gone, or never came about. Called once, and as the last. */
  closed (detail: string): void
}

export type OpenSocket = (url: string, events: SocketEvents) => Socket

/** The largest message that is read, in bytes: a list of all instruments of a venue fits. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** For how long a connection that the server closes may take to send the rest. */
const CLOSE_MS = 1000
const NORMAL = 1000

type ResponseStart = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>

/** Sees the status of an answer that refuses a WebSocket, of which the library says nothing. */
class StatusReader extends DecoratorHandler {
  /** What the types of the library leave out. */
  private readonly base: Dispatcher.DispatchHandler = DecoratorHandler.prototype

  constructor (handler: Dispatcher.DispatchHandler, private readonly refused: (status: number) => void) {
    super(handler)
  }

  onResponseStart (...answer: ResponseStart): void {
    this.refused(answer[1])
    this.base.onResponseStart?.apply(this, answer)
  }
}

/** Opens a WebSocket to a venue. */
export const openSocket: OpenSocket = (url, events) => {
  const { protocol, host } = new URL(url)
  let transport: NetSocket | undefined
  let fault = ''
  let isOver = false
  const connect = buildConnector({ keepAlive: true })
  // The library waits for a peer that says nothing, so the socket itself is kept, to end it in any case.
  const client = new Client(`${protocol === 'wss:' ? 'https:' : 'http:'}//${host}`, {
    webSocket: { maxPayloadSize: MAX_MESSAGE_BYTES },
    connect (options, callback) {
      connect(options, (...outcome) => {
        const [error, connected] = outcome
        if (error !== null) fault = wordsOf(error)
        transport = connected ?? undefined
        if (isOver) transport?.destroy()
        callback(...outcome)
      })
    }
  })
  const end = (): void => {
    isOver = true
    if (transport !== undefined) setTimeout(() => { transport?.destroy() }, CLOSE_MS).unref()
    client.destroy().catch(() => {})
  }
  const close = (detail: string): void => {
    if (isOver) return
    end()
    events.closed(detail)
  }
  const dispatcher = client.compose(dispatch => (options, handler) =>
    dispatch(options, new StatusReader(handler, status => { fault = `the venue answered ${status}` })))
  const socket = new WebSocket(url, { dispatcher })
  socket.binaryType = 'arraybuffer'
  const decoder = new TextDecoder('utf-8', { fatal: true })
  socket.addEventListener('open', () => { if (!isOver) events.opened() })
  socket.addEventListener('close', ({ code, reason }) => {
    close(`closed with ${code}${reason === '' ? '' : `: ${reason}`}${fault === '' ? '' : `: ${fault}`}`)
  })
  socket.addEventListener('message', ({ data }) => {
    if (isOver) return
    let text
    try {
      text = typeof data === 'string' ? data : decoder.decode(data as ArrayBuffer)
    } catch {
      socket.close(NORMAL)
      close('it sent what is not UTF-8')
      return
    }
    events.frame(text)
  })
  return {
    send: text => { if (socket.readyState === WebSocket.OPEN) socket.send(text) },
    close () {
      if (isOver) return
      isOver = true
      socket.close(NORMAL)
      end()
    }
  }
}
