import { createWriteStream, type WriteStream } from 'node:fs'
import { once } from 'node:events'
import { ConfigError } from '../../config.js'
import { wordsOf } from '../../errors.js'
import { insteadOf } from '../../nearest.js'
import { parseAddresses, parseSymbols } from '../../sources/live/parse.js'
import { record as recordVenue } from '../../sources/live/record.js'
import { venues } from '../../sources/venues/venues.js'
import type { Venue } from '../../sources/venues/venue.js'
import { type Command, CommandError, text, UsageError, wholeNumber } from '../command.js'

/** How often the command says how far it is. */
const PROGRESS_MS = 5000
/** Beyond this many bytes that nobody has taken, the output is too slow to record. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024

export const record: Command = {
  name: 'record',
  summary: 'Writes what a venue sends to the standard output, as a recording that a server can replay.',
  usage: '<venue> <symbols> [flags] > file',
  options: {
    seconds: { type: 'string', value: 'n', description: 'for how long (default: until Ctrl-C)' },
    answers: {
      type: 'string',
      value: 'file',
      description: 'where to write what the venue answers to requests (default: between its frames)'
    },
    url: { type: 'string', value: 'address', description: "in place of the venue's own, ws or wss" },
    rest: { type: 'string', value: 'address', description: 'the same for requests, http or https' }
  },
  examples: [
    'tickwire record kraken BTC-USD+ETH-USD --seconds 60 > kraken.txt',
    "tickwire record binance BTC-USDT > binance.txt && SOURCES='replay:binance.txt?speed=10' tickwire start"
  ],

  async run ({ values, positionals }) {
    const [name, list, ...more] = positionals
    if (name === undefined || list === undefined || more.length > 0) {
      throw new UsageError('record needs a venue and symbols, joined by +: record kraken BTC-USD+ETH-USD')
    }
    const venue = venues.find(venue => venue.name === name)
    if (venue === undefined) {
      const names = venues.map(({ name }) => name)
      throw new UsageError(`'${name}' is not a venue${insteadOf(name, names)}`)
    }
    const { venueSymbols, url, rest } = given(venue, list, text(values, 'url'), text(values, 'rest'))
    const forSeconds = wholeNumber(values, 'seconds')
    const end = new AbortController()
    const stop = (): void => { end.abort() }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
    const timer = forSeconds === undefined ? undefined : setTimeout(stop, forSeconds * 1000)
    const file = text(values, 'answers')
    const answers = file === undefined ? undefined : await openFile(file)
    answers?.on('error', stop)
    let [lines, requests] = [0, 0]
    const startedAt = performance.now()
    const say = (): void => {
      const passed = Math.round((performance.now() - startedAt) / 1000)
      const others = answers === undefined ? '' : `, ${requests} answers`
      console.error(`tickwire: ${lines} lines${others} in ${passed} s`)
    }
    const progress = setInterval(say, PROGRESS_MS)
    const notice = (details: object, words: string): void => {
      console.error(`tickwire: ${words} ${JSON.stringify(details)}`)
    }
    try {
      await recordVenue({
        venue,
        venueSymbols,
        url,
        rest,
        signal: end.signal,
        logger: { info () {}, warn: notice, error: notice },
        write (line) {
          lines++
          process.stdout.write(`${line}\n`)
          if (process.stdout.writableLength > MAX_WAITING_BYTES) throw new Error('the output is too slow')
        },
        writeAnswer: answers === undefined
          ? undefined
          : line => {
            requests++
            answers.write(`${line}\n`)
          }
      })
    } catch (error) {
      throw new CommandError(`the recording failed: ${wordsOf(error)}`)
    } finally {
      clearTimeout(timer)
      clearInterval(progress)
      if (answers !== undefined) await close(answers)
    }
    say()
    const fault = answers?.errored
    if (fault !== undefined && fault !== null) {
      throw new CommandError(`the recording failed: ${file} cannot be written: ${fault.message}`)
    }
    return 0
  }
}

/** Reads what is recorded, and from where. @throws UsageError */
function given (venue: Venue, list: string, url: string | undefined, rest: string | undefined) {
  try {
    return { venueSymbols: parseSymbols(venue, list), ...parseAddresses(venue, url, rest) }
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message.replace(/^SOURCES: /, ''))
    throw error
  }
}

/** Writes what waits and closes the file; `errored` says whether that failed. */
async function close (stream: WriteStream): Promise<void> {
  if (stream.closed) return
  const closed = new Promise<void>(resolve => { stream.once('close', resolve) })
  stream.end()
  await closed
}

async function openFile (file: string): Promise<WriteStream> {
  const stream = createWriteStream(file)
  try {
    await once(stream, 'open')
    return stream
  } catch (error) {
    throw new CommandError(`${file} cannot be written: ${(error as Error).message}`)
  }
}
