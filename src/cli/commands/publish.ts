import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import {
  byteLines, decodeText, type JsonItem, market, ProtocolError, readJson, readJsonItems, standardChannels
} from '@tickwire/protocol'
import { type Command, CommandError, type Invocation, text, UsageError } from '../command.js'
import { advice, type Server, serverOf, serverOptions, unreachable } from '../server.js'

/** The number of messages that are sent at a time. */
const BATCH = 500
/**
 * How often to send a batch that the server could not take; a key with each message keeps it from being
 * doubled.
 */
const MAX_TRIES = 10
const RETRY_MS = 1000
/** The largest text that is read whole: a JSON array, or an object over several lines. */
const MAX_WHOLE_BYTES = 64 * 1024 * 1024
const PROGRESS_MS = 1000
/** The number of refused messages that are shown one by one. */
const MAX_SHOWN = 20

interface Item {
  readonly line: number
  readonly message: object
}

interface Answer {
  readonly accepted: number
  readonly rejected: ReadonlyArray<{
    readonly index: number
    readonly code: string
    readonly message: string
  }>
}

export const publish: Command = {
  name: 'publish',
  summary: 'Publishes messages: one, a file, or stdin.',
  usage: "[<channel> [<symbol>]] (--data '<json>' | --file <file>|-)",
  options: {
    data: {
      type: 'string',
      value: 'json',
      description: "the message's data, which need not repeat the symbol"
    },
    file: {
      type: 'string',
      value: 'file',
      description: 'a JSON object, an array, or a line of JSON for each message; - is stdin. ' +
        'With a channel before it, each is only the data of a message'
    },
    user: {
      type: 'string', value: 'user', description: 'the owner of the topic, for a channel such as orders'
    },
    snapshot: { type: 'boolean', description: "each message replaces its topic's state" },
    ...serverOptions
  },
  examples: [
    'tickwire publish quotes AAPL --data \'{"bid":"185.50","ask":"185.52"}\'',
    'tickwire publish --file messages.ndjson',
    'generate | tickwire publish trades AAPL --file -'
  ],

  async run (invocation) {
    const server = serverOf(invocation)
    const progress = new Progress()
    let accepted = 0
    const rejected: Array<{ readonly line: number, readonly code: string, readonly message: string }> = []
    let batch: Item[] = []
    const send = async (): Promise<void> => {
      if (batch.length === 0) return
      for (let left = batch, tries = 1; left.length > 0; tries++) {
        if (tries > 1) await delay(RETRY_MS)
        const sent = left
        const answer = await post(server, sent.map(({ message }) => message))
        accepted += answer.accepted
        left = []
        for (const { index, code, message } of answer.rejected) {
          const item = sent[index]!
          // A part of the log could not take it; the other messages are in the log.
          if (code === 'log_unavailable' && tries < MAX_TRIES) left.push(item)
          else rejected.push({ line: item.line, code, message })
        }
      }
      batch = []
      progress.show(accepted, rejected.length)
    }
    for await (const item of items(invocation)) {
      if ('fault' in item) {
        const { line, fault } = item
        rejected.push({ line, code: fault.code, message: wordsOf(fault) })
      } else if (batch.push(item) >= BATCH) await send()
    }
    await send()
    progress.end()
    for (const { line, code, message } of rejected.sort((a, b) => a.line - b.line).slice(0, MAX_SHOWN)) {
      console.error(`message ${line}: ${code}: ${message}${advice(code)}`)
    }
    if (rejected.length > MAX_SHOWN) console.error(`… and ${rejected.length - MAX_SHOWN} more`)
    console.log(`${accepted} accepted, ${rejected.length} rejected`)
    return rejected.length === 0 ? 0 : 1
  }
}

type Read = Item | { readonly line: number, readonly fault: ProtocolError }

/** Reads the messages of the command line, in order; `line` counts from 1. */
async function * items ({ values, positionals }: Invocation): AsyncGenerator<Read> {
  const [channel, symbol, ...more] = positionals
  const data = text(values, 'data')
  const file = text(values, 'file')
  if (more.length > 0) {
    throw new UsageError(`publish takes a channel and a symbol; '${more[0]!}' is one argument too many`)
  }
  if ((data === undefined) === (file === undefined)) {
    throw new UsageError("publish needs either --data '<json>' or --file <file>")
  }
  if (data !== undefined && channel === undefined) {
    throw new UsageError('publish --data needs a channel before it: publish quotes AAPL --data …')
  }
  const user = text(values, 'user')
  const common = {
    ...(channel === undefined ? {} : { channel }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(user === undefined ? {} : { user }),
    ...(values['snapshot'] === true ? { snapshot: true } : {})
  }
  const run = randomUUID()
  // The line would not do: if several arrays follow each other, each counts its items from 1.
  let count = 0
  const reads = data !== undefined
    ? [readData(data)]
    : readInput(file === '-' ? process.stdin : createReadStream(file!))
  for await (const read of reads) {
    if ('fault' in read) yield read
    else {
      const message = channel === undefined
        ? { ...read.message, ...common }
        : { data: withSymbol(read.message, channel, symbol), ...common }
      yield { line: read.line, message: { idempotency_key: `${run}-${++count}`, ...message } }
    }
  }
}

/**
 * Fills the symbol into the data: the data of standard channels repeat it, and the command line has named it
 * already.
 */
function withSymbol (data: object, channel: string, symbol: string | undefined): object {
  const properties = standardChannels.get(channel)?.schema['properties'] as object | undefined ?? {}
  const field = channel === market.name ? 'market' : 'symbol'
  if (symbol === undefined || !(field in properties) || Array.isArray(data)) return data
  return { [field]: symbol, ...data }
}

/**
 * Reads lines of JSON as they arrive; a text that is an array, or one object over several lines, is read
 * whole.
 */
async function * readInput (input: Readable): AsyncGenerator<Read> {
  let number = 0
  let whole: Uint8Array[] | undefined
  let bytes = 0
  try {
    for await (const line of byteLines(input)) {
      number++
      if (whole === undefined) {
        const reads = readsOf(line, number)
        if (number > 1 || !isBegun(line, reads)) {
          yield * reads
          continue
        }
        whole = []
      }
      bytes += line.length
      if (bytes > MAX_WHOLE_BYTES) {
        throw new CommandError('a JSON array is read whole, and this one is too large: ' +
          'write one message on each line')
      }
      whole.push(line, LINE_END)
    }
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`the file cannot be read: ${(error as Error).message}`)
  }
  if (whole !== undefined) yield * readsOf(Buffer.concat(whole), 1)
}

const LINE_END = Buffer.from('\n')

/** Tells whether a line is the first one of a JSON text that goes on. */
const isBegun = (line: Uint8Array, [first]: readonly Read[]): boolean =>
  first !== undefined && 'fault' in first && first.fault.cause instanceof SyntaxError &&
    /^\s*[[{]/.test(Buffer.from(line).toString())

/** Reads a text: the items of an array, counted from 1, or one message, or nothing. */
function readsOf (bytes: Uint8Array, line: number): Read[] {
  try {
    const text = decodeText(bytes)
    if (text.trim() === '') return []
    const isArray = /^\s*\[/.test(text)
    return readJsonItems(text).map((item, index) => readOf(item, isArray ? index + 1 : line))
  } catch (error) {
    if (error instanceof ProtocolError) return [{ line, fault: error }]
    throw error
  }
}

function readOf ({ value, error }: JsonItem, line: number): Read {
  if (error !== undefined) return { line, fault: error }
  return typeof value === 'object' && value !== null
    ? { line, message: value }
    : { line, fault: new ProtocolError('invalid_json', 'not an object') }
}

/** Reads the data of the command line. @throws UsageError */
function readData (json: string): Read {
  try {
    const read = readOf(readJson(json), 1)
    if ('fault' in read) throw read.fault
    return read
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new UsageError(`--data${error.code === 'invalid_json' ? ' is not JSON' : ''}: ${wordsOf(error)}`)
  }
}

/** Says what is wrong in the parser's own words, if it has any: the user of the command may see the text. */
const wordsOf = ({ cause, message }: ProtocolError): string =>
  cause instanceof SyntaxError ? cause.message : message

/**
 * Sends messages, and sends them again if the server cannot take them yet.
 * @throws CommandError if the server refuses them
 */
async function post (server: Server, messages: readonly object[]): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const response = await fetch(`${server.url}/v1/publish`, {
      method: 'POST',
      headers: { ...server.headers, 'content-type': 'application/x-ndjson' },
      body: messages.map(message => JSON.stringify(message)).join('\n')
    }).catch((error: unknown) => { throw unreachable(server, error) })
    type Body = Partial<Answer> & { code?: string, message?: string }
    const body = await response.json().catch(() => ({})) as Body
    if (response.ok && body.accepted !== undefined) return body as Answer
    const again = response.status === 429 || response.status === 503
    if (!again || tries === MAX_TRIES) {
      const { code = String(response.status), message = response.statusText } = body
      throw new CommandError(`${server.url} refused: ${code}: ${message}${advice(body.code ?? '')}`)
    }
    await delay(Number(response.headers.get('retry-after') ?? 0) * 1000 || RETRY_MS)
  }
}

/** Shows on a terminal how far the command has come. */
class Progress {
  private shownAt = Date.now()
  private shown = false

  show (accepted: number, rejected: number): void {
    if (!process.stderr.isTTY || Date.now() - this.shownAt < PROGRESS_MS) return
    this.shownAt = Date.now()
    this.shown = true
    process.stderr.write(`\r${accepted} accepted, ${rejected} rejected …`)
  }

  end (): void {
    if (this.shown) process.stderr.write('\r\x1b[K')
  }
}
