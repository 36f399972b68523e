import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { byteLines, decodeText, type Instrument } from '@tickwire/protocol'
import { ConfigError } from '../../config.js'
import type { Venue } from '../venues/venue.js'
import { venues } from '../venues/venues.js'

/** A frame that a venue sent, with the time at which it arrived. */
export interface RecordedFrame {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly payload: string
  /** The URL that it answers; undefined for a frame of the feed. */
  readonly request: URL | undefined
  readonly file: string
  /** The number of its line in the file, from 1. */
  readonly line: number
}

const FRAME = /^(?:(\S+) -> )?(\d+(?:\.\d+)?): (.*)$/s
const CONNECTION = /^(\S+) <-> /
/** How long after its first frame a session may still subscribe. */
const SUBSCRIBING_SECONDS = 60
const SENT = /^\S+ <- \d+(?:\.\d+)?: (.*)$/s

/**
 * A recorded session: one frame a line, `<unix seconds>: <payload>`. A line with `<-` is what the client
 * sent, `<->` is a connection, and `<URL> -> <unix seconds>: <body>` an HTTP answer.
 */
export class Recording {
  private constructor (readonly file: string, readonly venue: Venue, private readonly answers?: Recording) {}

  /**
   * Opens a file.
   * @param answers a file with what the venue answered meanwhile to requests, if that was recorded apart
   * @throws ConfigError that says which file, and what is wrong with it
   */
  static async open (file: string, answers?: string): Promise<Recording> {
    const found = await stat(file).catch(() => undefined)
    if (found === undefined) {
      throw new ConfigError(`replay: there is no file ${file}; give the path of a recorded session`)
    }
    if (!found.isFile()) {
      throw new ConfigError(`replay: ${file} is not a file; give the path of a recorded session`)
    }
    const lines = linesOf(file)
    const first = await lines.next()
    await lines.return()
    const [address = ''] = String(first.value).split(' ', 1)
    const host = URL.canParse(address) ? new URL(address).hostname : ''
    const venue = venues.find(({ hosts }) => hosts.includes(host))
    if (venue !== undefined) {
      return new Recording(file, venue, answers === undefined ? undefined : await Recording.open(answers))
    }
    const known = venues.flatMap(({ hosts }) => hosts).join(', ')
    throw new ConfigError(`replay: ${file} does not begin with the address of a known venue (${known})`)
  }

  /** Returns the instruments to which the session subscribed, at its beginning. */
  async instruments (): Promise<readonly Instrument[]> {
    const found = new Map<string, Instrument>()
    let first: number | undefined
    for await (const line of linesOf(this.file)) {
      const address = CONNECTION.exec(line)?.[1]
      const streamed = address === undefined || !URL.canParse(address)
        ? undefined
        : this.venue.instrumentsOf?.(new URL(address))
      for (const instrument of streamed ?? []) found.set(instrument.symbol, instrument)
      const sent = SENT.exec(line)?.[1]
      if (sent === undefined) {
        // Subscriptions to many products are spread over some time.
        const time = FRAME.exec(line)?.[2]
        first ??= time === undefined ? undefined : Number(time)
        if (time !== undefined && Number(time) - first! > SUBSCRIBING_SECONDS) break
        continue
      }
      for (const instrument of this.venue.instruments(sent)) found.set(instrument.symbol, instrument)
    }
    return [...found.values()]
  }

  /** Reads the frames and the answers, in the order of their times. */
  async * frames (): AsyncGenerator<RecordedFrame> {
    const answers = this.answers?.frames()
    try {
      let answer = await answers?.next()
      for await (const frame of framesOf(this.file)) {
        while (answer?.done === false && answer.value.time <= frame.time) {
          yield answer.value
          answer = await answers?.next()
        }
        yield frame
      }
      for (; answer?.done === false; answer = await answers?.next()) yield answer.value
    } finally {
      // A replay may stop anywhere. Otherwise the file of the answers would stay open.
      await answers?.return(undefined)
    }
  }
}

async function * framesOf (file: string): AsyncGenerator<RecordedFrame> {
  let line = 0
  for await (const text of linesOf(file)) {
    line++
    const [, url, seconds, payload] = FRAME.exec(text) ?? []
    if (seconds === undefined || payload === undefined || (url !== undefined && !URL.canParse(url))) continue
    const request = url === undefined ? undefined : new URL(url)
    yield { time: Number(seconds) * 1000, payload, request, file, line }
  }
}

/** Reads the lines of a file. @throws Error that says which line is not UTF-8 */
async function * linesOf (file: string): AsyncGenerator<string, void, void> {
  let number = 0
  for await (const line of byteLines(createReadStream(file))) {
    number++
    let text
    try {
      text = decodeText(line)
    } catch (cause) {
      throw new Error(`replay: ${file}, line ${number}: not UTF-8`, { cause })
    }
    yield text
  }
}
