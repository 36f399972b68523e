import type { SourceContext, SourceLogger } from '../source.js'
import { systemClock } from './clock.js'
import { LiveSource, type LiveOptions } from './live-source.js'
import { type HttpGet, httpGet } from './rest.js'
import { type OpenSocket, openSocket } from './socket.js'

export interface RecordOptions extends Pick<LiveOptions, 'venue' | 'venueSymbols' | 'url' | 'rest'> {
  readonly signal: AbortSignal
  readonly logger: SourceLogger
  /** Takes a line of the recording, without its end. */
  write (line: string): void
  /** Takes a line with what the venue answered to a request; absent: it goes between the others. */
  writeAnswer?: ((line: string) => void) | undefined
}

/**
 * Records what a venue sends, in the form that the source `replay` reads. It subscribes as the live source
 * does, and asks for new snapshots when a book fails, so that a replay begins and goes on as it did.
 * @throws what `write` or `writeAnswer` throws: the recording ends there
 */
export async function record (options: RecordOptions): Promise<void> {
  const { venue: { feed }, write, writeAnswer } = options
  const failed = new AbortController()
  const context = contextOf(options, failed)
  const { guard } = context
  let hasFrames = false
  const early: string[] = []
  const answered = (line: string): void => {
    // A replay takes its instruments from what was sent before the first frame.
    if (writeAnswer !== undefined) writeAnswer(line)
    else if (hasFrames) write(line)
    else early.push(line)
  }
  const opening: OpenSocket = (url, events) => {
    const socket = openSocket(url, {
      ...events,
      opened: guard(() => {
        // The venue's own address says whose frames these are, wherever they came from.
        write(`${feed.url} <-> ${seconds()}`)
        events.opened()
      }),
      frame: guard((text: string) => {
        write(`${seconds()}: ${oneLine(text)}`)
        hasFrames = true
        for (const line of early.splice(0)) write(line)
        events.frame(text)
      })
    })
    return {
      close: () => { socket.close() },
      send (text) {
        write(`${feed.url} <- ${seconds()}: ${text}`)
        socket.send(text)
      }
    }
  }
  const note = guard(answered)
  const getting: HttpGet = async (url, signal) => {
    const answer = await httpGet(url, signal)
    if (answer.status === 200) {
      note(`${feed.rest?.url}${url.pathname}${url.search} -> ${seconds()}: ${oneLine(answer.body)}`)
    }
    return answer
  }
  const surroundings = { clock: systemClock, random: Math.random, openSocket: opening, httpGet: getting }
  const whole = { ...options, suffix: '', depth: undefined, lingerMs: undefined, surroundings }
  await new LiveSource(whole).run(context)
  failed.signal.throwIfAborted()
}

const seconds = (): string => (systemClock.time() / 1000).toFixed(6)

/** Puts a frame on one line. JSON allows line breaks only where any other space means the same. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ')

/** What a source works with where nothing is published. The first error aborts `failed`. */
function contextOf ({ signal, logger }: RecordOptions, failed: AbortController): SourceContext {
  return {
    signal: AbortSignal.any([signal, failed.signal]),
    logger,
    instrument: () => undefined,
    publish: async messages => messages.map(() => ({ sequence: 0 })),
    declare: async instruments => instruments.map(() => ({ sequence: 0 })),
    guard: work => (...given) => {
      try {
        work(...given)
      } catch (error) {
        failed.abort(error)
      }
    }
  }
}
