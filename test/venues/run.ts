import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import { withDeadline } from '../../src/deadline.js'
import { tickwire } from '../../src/index.js'
import { LiveSource } from '../../src/sources/live/live-source.js'
import { httpGet } from '../../src/sources/live/rest.js'
import { openSocket } from '../../src/sources/live/socket.js'
import type { Venue } from '../../src/sources/venues/venue.js'
import { type Client, openClient, type TransportName } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { fastClock } from './fast-clock.js'
import type { Market } from './market.js'
import { type Harm, Misbehaviour } from './misbehaviour.js'
import { Oracle, type Verdict } from './oracle.js'
import type { VenueProtocol } from './venue-protocol.js'
import { VenueServer } from './venue-server.js'

/** How many times faster time passes for the connectors. */
const SPEED = 20
/** Between two signs of life of the venue: a second of theirs. */
const BEAT_MS = 1000 / SPEED
const ANSWER_MS = 10_000 / SPEED
/** After this many milliseconds in which the venue behaved, what is not well is stuck. */
const PATIENCE_MS = 30_000
const LOOK_MS = 5
/** After this many looks the run moves the markets on: only a later frame shows that one was lost. */
const STILL = 30
/** One who polls asks often. */
const AMPLE = { RATE_LIMIT_REQUESTS: 1_000_000 }
/** A symbol that no venue here has. */
const UNKNOWN = 'NIL-USD'

export interface RunOptions {
  readonly protocol: VenueProtocol
  readonly venue: Venue
  readonly seed: number
  /** How often each market goes on while the venue misbehaves. */
  readonly steps: number
  readonly perMille: number
  readonly only?: readonly Harm[] | undefined
  readonly markets: (depth: number | undefined) => ReadonlyMap<string, Market>
}

export interface RunReport {
  readonly seed: number
  readonly verdict: Verdict
  readonly failures: readonly string[]
  readonly done: ReadonlyMap<Harm, number>
  readonly connections: number
  /** How long it took until all was well again, in milliseconds. */
  readonly recoveredMs: number
}

/** One server with one source, a venue that misbehaves, and a subscriber whose every message is judged. */
export async function run (options: RunOptions): Promise<RunReport> {
  const { protocol, venue, seed, perMille, only, steps } = options
  const choices = new Choices(seed)
  const { depths } = venue.feed
  const depth = depths === undefined ? undefined : choices.pick(depths.slice(0, 2))
  const markets = options.markets(depth)
  const misbehaviour = new Misbehaviour({ seed, perMille, only })
  const exchange = { markets }
  const server = await VenueServer.start({ protocol, exchange, misbehaviour, beatMs: BEAT_MS, speed: SPEED })
  const oracle = new Oracle(protocol, markets.values(), misbehaviour)
  const app = Fastify({ forceCloseConnections: true })
  let client: Client | undefined
  try {
    const source = liveSource(options, server, [...markets.keys()], depth, choices)
    await app.register(tickwire, { sources: [source], routes: ['stream'], settings: AMPLE })
    const origin = await app.listen({ port: 0, host: '127.0.0.1' })
    const transport = choices.pick<TransportName>(['ws-json', 'ws-batch', 'sse', 'poll'])
    const query = ['book:*', 'trades:*', 'quotes:*', 'market:*'].map(topic => `subscribe=${topic}`).join('&')
    client = openClient(transport, origin, query, undefined, {
      onMessage: message => { oracle.take(message) }, onCursor: () => {}
    })
    const gone = new AbortController()
    const end = (): void => { gone.abort() }
    client.ended.then(end, end)
    const step = (): void => { for (const pair of markets.keys()) server.step(pair) }
    for (let at = 0; at < steps; at++) {
      step()
      await delay(choices.integer(0, 4))
    }
    server.calm()
    const calmAt = Date.now()
    let pending: readonly string[] = ['it has not begun']
    const goesOn = (): boolean =>
      pending.length > 0 && !gone.signal.aborted && Date.now() - calmAt < PATIENCE_MS
    for (let look = 0; goesOn(); look++) {
      if (look % STILL === 0) step()
      await delay(LOOK_MS)
      pending = oracle.pending()
    }
    const recoveredMs = Date.now() - calmAt
    const { verdict } = oracle
    if (gone.signal.aborted) pending = [`the subscriber by ${transport} has been cut`, ...pending]
    const stuck = pending.map(what => `stuck for ${PATIENCE_MS / 1000} s: ${what}`)
    const failures = [...verdict.failures, ...server.violations.slice(0, 1), ...stuck]
    return { seed, verdict, failures, done: misbehaviour.done, connections: server.opened, recoveredMs }
  } finally {
    client?.cut()
    await app.close()
    await server.close()
  }
}

function liveSource (
  { venue }: RunOptions, { host }: VenueServer, pairs: readonly string[], depth: number | undefined,
  choices: Choices
): LiveSource {
  const unknown = venue.venueSymbolOf(UNKNOWN)
  const venueSymbols = unknown === undefined || choices.next() < 0.5 ? pairs : [...pairs, unknown]
  const { pathname, search } = new URL(venue.feed.url)
  return new LiveSource({
    venue,
    venueSymbols,
    suffix: '',
    depth,
    url: `ws://${host}${pathname}${search}`,
    rest: venue.feed.rest === undefined ? undefined : `http://${host}`,
    lingerMs: undefined,
    surroundings: {
      clock: fastClock(SPEED),
      random: () => choices.next(),
      openSocket,
      httpGet: async (url, signal) =>
        await withDeadline(signal, ANSWER_MS, async inTime => await httpGet(url, inTime))
    }
  })
}
