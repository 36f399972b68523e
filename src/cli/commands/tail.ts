import type { Message } from '@tickwire/client'
import {
  MAX_LAST, MAX_THROTTLE_MS, MIN_THROTTLE_MS, ProtocolError, parseStreamQuery, type StreamQuery
} from '@tickwire/protocol'
import { type Command, text, UsageError, wholeNumber } from '../command.js'
import { serverOf, serverOptions } from '../server.js'
import { follow, topicOf, type TransportName, transportNames } from '../stream.js'

const INTERRUPTED = 130
/**
 * A cursor follows its messages within a second (PROTOCOL.md, Control); the rest of this time is for the
 * network.
 */
const CURSOR_WAIT_MS = 2000

export const tail: Command = {
  name: 'tail',
  summary: 'Shows a stream as it comes, through every reconnect.',
  usage: '<topic>… [flags]',
  options: {
    transport: {
      type: 'string',
      short: 't',
      value: transportNames.join('|'),
      description: 'the only transport to use (default: the first of them that works)'
    },
    json: { type: 'boolean', description: 'prints each message as it came, on a line of its own' },
    after: { type: 'string', value: 'cursor', description: 'goes on where an earlier run ended' },
    last: {
      type: 'string',
      value: 'n',
      description: `begins with the newest n messages of each topic, at most ${MAX_LAST}`
    },
    'throttle-ms': {
      type: 'string',
      value: 'ms',
      description: 'each topic at most once in this many ms, ' +
        `${MIN_THROTTLE_MS} to ${MAX_THROTTLE_MS}, if its channel can be throttled`
    },
    number: { type: 'string', short: 'n', value: 'n', description: 'ends after n messages' },
    ...serverOptions
  },
  examples: [
    "tickwire tail quotes:AAPL 'trades:*'",
    "tickwire tail 'quotes:@sector/semiconductors' --throttle-ms 1000 --transport sse",
    'tickwire tail news --last 10 --json | jq .data.headline'
  ],

  async run (invocation) {
    const { values, positionals } = invocation
    const server = serverOf(invocation)
    const transport = text(values, 'transport') as TransportName | undefined
    if (transport !== undefined && !transportNames.includes(transport)) {
      throw new UsageError(`--transport is one of ${transportNames.join(', ')}, not '${transport}'`)
    }
    const end = new AbortController()
    let exitCode = 0
    let cursor = text(values, 'after')
    /** Messages that were printed and that the cursor does not cover yet. */
    let beyond = 0
    // The first signal waits for a cursor that covers what was printed; the second does not.
    const interrupt = (): void => {
      if (exitCode === INTERRUPTED || beyond === 0) end.abort()
      else setTimeout(() => { end.abort() }, CURSOR_WAIT_MS).unref()
      exitCode = INTERRUPTED
    }
    process.on('SIGINT', interrupt)
    process.on('SIGTERM', interrupt)
    let left = wholeNumber(values, 'number') ?? Infinity
    const notice = (words: string): void => { console.error(`tickwire: ${words}`) }
    const print = values['json'] === true ? (message: Message) => JSON.stringify(message) : line
    await follow({
      server,
      transport,
      ...queryOf(positionals, wholeNumber(values, 'last'), text(values, 'throttle-ms')),
      after: cursor,
      signal: end.signal,
      onNotice: notice,
      onMessage: message => {
        console.log(print(message))
        beyond++
        if (--left <= 0) end.abort()
      },
      onReset: reset => {
        notice(`${topicOf(reset)}: reset (${reset.reason}): messages in between are lost`)
      },
      onCursor: text => {
        cursor = text
        beyond = 0
        if (exitCode === INTERRUPTED) end.abort()
      }
    })
    if (cursor !== undefined) {
      const shown = beyond === 1 ? 'the last message' : `the last ${beyond} messages`
      notice(`to go on: --after ${cursor}${beyond === 0 ? '' : ` (it shows ${shown} again)`}`)
    }
    return exitCode
  }
}

/** Returns what the flags ask for. @throws UsageError */
function queryOf (
  topics: readonly string[], last: number | undefined, throttle: string | undefined
): Pick<StreamQuery, 'subscribe'> & { readonly throttleMs: number | undefined } {
  if (topics.length === 0) {
    throw new UsageError("tail needs a topic: tail quotes:AAPL, tail 'trades:*', tail news")
  }
  try {
    const subscribe = topics.map(topic => {
      const [parameter] = parseStreamQuery(`subscribe=${encodeURIComponent(topic)}`).subscribe
      return { ...parameter!, ...(last === undefined ? {} : { last }) }
    })
    const { throttleMs } = parseStreamQuery(throttle === undefined ? '' : `throttle_ms=${throttle}`)
    return { subscribe, throttleMs }
  } catch (error) {
    if (error instanceof ProtocolError) throw new UsageError(error.message)
    throw error
  }
}

/** Writes a message for people: its time, its topic, its sequence, and its data in short. */
function line (message: Message): string {
  const { timestamp, sequence, prev, snapshot } = message
  const from = prev === undefined ? '' : `${prev}…`
  const number = `${from}${sequence}${snapshot === true ? ' *' : ''}`
  return [
    timestamp.slice(11, 23), topicOf(message).padEnd(16), number.padStart(9), dataOf(message.data)
  ].join('  ')
}

const MAX_LEVELS = 3
/** Fields that the topic says already, or that do not matter to somebody who watches. */
const LEFT_OUT = ['symbol', 'venue_time', 'timestamp', 'exchange']

function dataOf (data: unknown): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data)
  return Object.entries(data)
    .filter(([name]) => !LEFT_OUT.includes(name))
    .map(([name, value]: [string, unknown]) => `${name} ${valueOf(value)}`)
    .join('  ')
}

function valueOf (value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'string' ? value : JSON.stringify(value)
  const shown = value.slice(0, MAX_LEVELS).map(item =>
    Array.isArray(item) ? item.join('×') : typeof item === 'string' ? item : JSON.stringify(item))
  return `[${shown.join(' ')}${value.length > MAX_LEVELS ? ` +${value.length - MAX_LEVELS}` : ''}]`
}
