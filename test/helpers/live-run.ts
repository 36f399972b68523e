import type { MarketStatus } from '@tickwire/protocol'
import { LiveSource } from '../../src/sources/live/live-source.js'
import type { SocketEvents } from '../../src/sources/live/socket.js'
import type { SourceContext, SourceMessage } from '../../src/sources/source.js'
import type { Venue } from '../../src/sources/venues/venue.js'
import { FakeClock } from './fake-clock.js'

export interface FakeSocket extends SocketEvents {
  readonly url: string
  readonly sent: string[]
  isClosed: boolean
}

interface Venues {
  /** What the venue answers to a request. */
  answer? (path: string): unknown
  /** Called for each socket that the source opens, and for each message that it sends. */
  opening? (socket: FakeSocket): void
  sent? (socket: FakeSocket, text: string): void
  random? (): number
}

/** Runs a live source over sockets and a clock of the test's own. */
export function runLive (
  venue: Venue, venueSymbols: readonly string[], { answer, opening, sent, random = () => 0.5 }: Venues = {}
) {
  const clock = new FakeClock()
  const sockets: FakeSocket[] = []
  const messages: SourceMessage[] = []
  const logged: string[] = []
  const asked: string[] = []
  const stopping = new AbortController()
  const source = new LiveSource({
    venue,
    venueSymbols,
    suffix: '',
    depth: undefined,
    lingerMs: undefined,
    surroundings: {
      clock,
      random,
      openSocket (url, events) {
        const socket = { ...events, url, sent: [] as string[], isClosed: false }
        sockets.push(socket)
        opening?.(socket)
        return {
          send: text => {
            socket.sent.push(text)
            sent?.(socket, text)
          },
          close: () => { socket.isClosed = true }
        }
      },
      async httpGet (url) {
        asked.push(url.pathname + url.search)
        return { url, status: 200, body: JSON.stringify(answer?.(url.pathname + url.search) ?? []) }
      }
    }
  })
  let failure: unknown
  const context: SourceContext = {
    logger: {
      info: (_details, text) => { logged.push(text) },
      warn: (_details, text) => { logged.push(text) },
      error () {}
    },
    signal: stopping.signal,
    guard: work => (...given) => {
      try {
        work(...given)
      } catch (error) {
        failure = error
        stopping.abort()
      }
    },
    declare: async () => [],
    instrument: () => undefined,
    publish: async batch => {
      messages.push(...batch)
      return batch.map(() => ({ sequence: 1 }))
    }
  }
  const ended = source.run(context)
  return {
    clock,
    sockets,
    messages,
    logged,
    asked,
    source,
    newest: () => sockets.at(-1)!,
    statuses: () => messages.filter(({ channel }) => channel === 'market')
      .map(({ data }) => (data as MarketStatus).status),
    books: (symbol: string) => messages.filter(message => message.channel === 'book' && message.symbol === symbol)
      .map(({ data, snapshot }) => {
        const { stale, asks } = data as { stale?: true, asks: string[][] }
        return stale === true ? 'stale' : `${snapshot === true ? 'snapshot' : 'update'} ${asks[0]?.join('@')}`
      }),
    async stop () {
      stopping.abort()
      await ended
      if (failure !== undefined) throw failure
    }
  }
}
