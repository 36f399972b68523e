import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { standardChannels } from '@tickwire/protocol'
import { CsvWriter, type CsvMessage } from '../../history/csv.js'
import { type Command, CommandError, text, UsageError } from '../command.js'
import { advice, isPassing, refusalOf, type Server, serverOf, serverOptions, unreachable } from '../server.js'

const FORMATS = ['ndjson', 'csv', 'json'] as const
type Format = typeof FORMATS[number]

/** Messages of one request. */
const PAGE = 10_000
/** How often a request is tried, and the pause after the first try; each further one is twice as long. */
const TRIES = 8
const FIRST_RETRY_MS = 250
const INTERRUPTED = 130
/** How often the progress line changes: on a terminal, and where lines are kept. */
const TERMINAL_MS = 250
const FILE_MS = 10_000

interface Page {
  readonly messages: ReadonlyArray<{ readonly type: string, readonly reason?: string } & Partial<CsvMessage>>
  readonly next: string | null
  readonly more: boolean
}

export const exportCommand: Command = {
  name: 'export',
  summary: "Writes a topic's history, as far as the server has it.",
  usage: '<channel> [symbol] [flags] > file',
  options: {
    from: {
      type: 'string', value: 'time', description: "from this time of the log's clock on: 2026-01-31T09:00:00Z"
    },
    to: { type: 'string', value: 'time', description: 'before this time' },
    format: {
      type: 'string',
      short: 'f',
      value: FORMATS.join('|'),
      description: 'a message a line, a table, or one array (default ndjson)'
    },
    after: { type: 'string', value: 'position', description: 'goes on where an earlier run ended' },
    quiet: { type: 'boolean', short: 'q', description: 'shows no progress' },
    ...serverOptions
  },
  examples: [
    'tickwire export trades AAPL > trades.ndjson',
    'tickwire export trades AAPL --from 2026-01-31T00:00:00Z --format csv > trades.csv',
    'tickwire export news --format json | jq length'
  ],

  async run (invocation) {
    const { values, positionals } = invocation
    const [channel, symbol, ...others] = positionals
    if (channel === undefined || others.length > 0) {
      throw new UsageError('export takes a channel, and a symbol if it has symbols: export trades AAPL')
    }
    const format = (text(values, 'format') ?? 'ndjson') as Format
    if (!FORMATS.includes(format)) {
      throw new UsageError(`--format is one of ${FORMATS.join(', ')}, not '${format}'`)
    }
    const query = new URLSearchParams({ channel, limit: String(PAGE) })
    if (symbol !== undefined) query.set('symbol', symbol)
    for (const name of ['from', 'to', 'after']) {
      const value = text(values, name)
      if (value !== undefined) query.set(name, value)
    }
    const server = serverOf(invocation)
    return await writeHistory(server, query, writerOf(format, channel), values['quiet'] !== true)
  }
}

/** What stands around the messages of a format, and each of them. */
interface Writer {
  readonly head: string
  message (message: Page['messages'][number], isFirst: boolean): string
  readonly end: string
}

function writerOf (format: Format, channel: string): Writer {
  const json = (message: Page['messages'][number]): string => JSON.stringify(message)
  if (format === 'ndjson') return { head: '', message: message => `${json(message)}\n`, end: '' }
  if (format === 'json') {
    return {
      head: '[', message: (message, isFirst) => `${isFirst ? '\n' : ',\n'}${json(message)}`, end: '\n]\n'
    }
  }
  const definition = standardChannels.get(channel)
  if (definition === undefined) {
    throw new UsageError(`only the server knows the columns of its own channel '${channel}'; ` +
      'ask it for /v1/history?format=csv')
  }
  const csv = new CsvWriter(definition)
  const line = (message: Page['messages'][number]): string =>
    'data' in message ? csv.line(message as CsvMessage) : ''
  return { head: csv.head, message: line, end: '' }
}

async function writeHistory (
  server: Server, query: URLSearchParams, writer: Writer, shows: boolean
): Promise<number> {
  const end = new AbortController()
  const interrupt = (): void => { end.abort() }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const progress = new Progress(shows)
  let [isAnswered, isFirst] = [false, true]
  try {
    for (let more = true; more && !end.signal.aborted;) {
      const page = await fetchPage(server, query, isAnswered, end.signal)
      if (page === undefined) break
      let lines = isAnswered ? '' : writer.head
      isAnswered = true
      for (const message of page.messages) {
        lines += writer.message(message, isFirst)
        isFirst = false
        if (message.type === 'reset') progress.noteGap(String(message.reason))
        else progress.count++
      }
      progress.at = page.messages.at(-1)?.timestamp ?? progress.at
      progress.next = page.next ?? undefined
      if (!process.stdout.write(lines)) await once(process.stdout, 'drain')
      progress.show()
      if (page.next !== null) query.set('after', page.next)
      more = page.more
    }
    if (isAnswered) process.stdout.write(writer.end)
    progress.end(end.signal.aborted)
    return end.signal.aborted ? INTERRUPTED : 0
  } catch (error) {
    progress.end(true)
    throw error
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/**
 * Fetches a page, and tries again if the server is away for a while.
 * @param isAnswered whether the server has answered before; otherwise the command line may be wrong
 * @returns undefined if the signal was aborted
 */
async function fetchPage (
  server: Server, query: URLSearchParams, isAnswered: boolean, signal: AbortSignal
): Promise<Page | undefined> {
  for (let tries = 1, waitMs = FIRST_RETRY_MS; ; tries++, waitMs *= 2) {
    try {
      const response = await fetch(`${server.url}/v1/history?${query}`, { headers: server.headers, signal })
      if (response.ok) return await response.json() as Page
      const { code, message, retryAfterMs = 0 } =
        refusalOf(response.status, await response.text(), response.headers.get('retry-after'))
      if (!isPassing(code) || tries === TRIES) throw new CommandError(`${code}: ${message}${advice(code)}`)
      waitMs = Math.max(waitMs, retryAfterMs)
    } catch (error) {
      if (signal.aborted) return undefined
      if (error instanceof CommandError) throw error
      if (!isAnswered || tries === TRIES) throw unreachable(server, error)
    }
    await delay(waitMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
  }
}

/** A line on stderr: how many messages were written, and up to when. */
class Progress {
  count = 0
  at: string | undefined
  next: string | undefined
  private readonly beganAt = performance.now()
  private shownAt = performance.now()
  private readonly isTerminal = process.stderr.isTTY

  constructor (private readonly shows: boolean) {}

  noteGap (reason: string): void {
    this.clear()
    console.error(`tickwire: messages are missing after message ${this.count} (${reason})`)
  }

  show (): void {
    const now = performance.now()
    if (!this.shows || now - this.shownAt < (this.isTerminal ? TERMINAL_MS : FILE_MS)) return
    this.shownAt = now
    if (this.isTerminal) process.stderr.write(`\r\x1b[K${this.words()}`)
    else console.error(this.words())
  }

  /** @param early whether there is more to write */
  end (early: boolean): void {
    this.clear()
    if (this.shows && (this.count > 0 || !early)) console.error(this.words())
    if (early && this.next !== undefined) console.error(`tickwire: to go on: --after ${this.next}`)
  }

  private words (): string {
    const seconds = Math.max(0.001, (performance.now() - this.beganAt) / 1000)
    const upTo = this.at === undefined ? '' : `, up to ${this.at}`
    const rate = Math.round(this.count / seconds)
    const messages = this.count === 1 ? '1 message' : `${this.count} messages`
    return `tickwire: ${messages}${upTo} (${seconds.toFixed(1)} s, ${rate} a second)`
  }

  private clear (): void {
    if (this.shows && this.isTerminal) process.stderr.write('\r\x1b[K')
  }
}
