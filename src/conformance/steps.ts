import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { wantedOf } from './asked.js'
import { brief, type Expected, expectedOf, itemOf, type Json, type Written } from './notation.js'
import type { Step } from './scenario.js'
import { EventStreamLine } from './server/event-stream-line.js'
import { PollLine } from './server/poll-line.js'
import type { Obstacle } from './server/scripted-server.js'
import { PROXY_PAGE } from './server/visit.js'
import { WebSocketLine } from './server/websocket-line.js'
import type { Transport } from './setup.js'
import { Failure } from './watch.js'

/** How long a script looks whether a client that must stay away does; a first retry comes within 0.8 s. */
const QUIET_MS = 1200

/** The steps of which scenarios are made. Selectors and messages are written as notation.ts says. */

/** Waits for a connection that asks for these selectors, each `after=` a position or without one. */
export const asks = (...wanted: string[]): Step => async play => {
  await play.open(wanted.flatMap(wantedOf))
}

/** Confirms what the client has asked for. */
export const grants: Step = async play => { play.grant() }

/** `asks` and `grants`. */
export const opens = (...wanted: string[]): Step => async play => {
  await play.open(wanted.flatMap(wantedOf))
  play.grant()
}

/** Waits for a connection, and for the token that it shows before it subscribes. */
export const opensWith = (token: string | undefined, ...wanted: string[]): Step => async play => {
  await play.open(wanted.flatMap(wantedOf))
  if (play.line.token !== token) {
    throw new Failure(`it shows the token ${String(play.line.token)}, and not ${String(token)}`)
  }
  play.grant()
}

/** Has the application subscribe. */
export const subscribes = (...selectors: string[]): Step => async play => {
  for (const each of selectors) play.tellSubscribe(each)
}

/** Has the application unsubscribe. */
export const unsubscribes = (selectors: string): Step => async play => { play.tellUnsubscribe(selectors) }

/** Waits until the client asks for more; `others`: what it has already, if it comes on a new connection. */
export const adds = (added: readonly string[], others: readonly string[]): Step => async play => {
  await play.add(added.flatMap(wantedOf), others.flatMap(wantedOf))
}

/** Waits until the client has dropped what it unsubscribed; `rest` is what it still asks for. */
export const drops = (...rest: string[]): Step => async play => {
  const { line } = play
  await play.drop(rest.flatMap(wantedOf))
  if (play.line !== line) play.grant()
}

/** Sends messages and cursors at once. A poll is answered where a cursor stands. */
export const sends = (...written: Written[]): Step => async play => {
  const items = written.map(itemOf)
  const epoch = items.map(item => item.kind === 'control' ? item.json['epoch'] : undefined).find(Boolean)
  if (epoch !== undefined) play.server.epoch = String(epoch)
  await play.line.send(items)
}

/** Waits until the client has given exactly this of each topic since the last such step. */
export const gives = (...texts: string[]): Step => async play => {
  const { line } = play
  const isUnanswered = (expected: Expected): boolean => line instanceof PollLine &&
    line.tail.some(json => expected.fits({ ...json, event: json['type'] === 'reset' ? 'reset' : 'message' }))
  const all = [...play.deferred, ...texts.map(expectedOf)]
  play.deferred = all.filter(isUnanswered)
  for (const expected of all.filter(one => !isUnanswered(one))) {
    await play.until(() => `it does not give ${brief(expected.text)}`,
      () => play.given.take(expected) ? true : undefined)
  }
}

/** Waits for an event of the driver with these fields. */
export const tells = (fields: Json): Step => async play => {
  const missing = `the driver does not say ${JSON.stringify(fields)}`
  await play.eventOf(missing, event => Object.entries(fields)
    .every(([name, value]) => JSON.stringify(event[name]) === JSON.stringify(value)))
}

/** Cuts the connection as a broken network does; the answer to a poll breaks off. */
export const cut: Step = async ({ line, server }) => {
  // An obstacle has met the poll that would break off.
  if (line instanceof PollLine && server.obstacles.has('polling')) return
  await line.cut()
}

/** Ends the connection for a reason of the table, with a `closing`; a poll is refused. */
export const closes = (code: ErrorCode, retryAfterMs?: number): Step => async play => {
  const since = await play.line.close(code, retryAfterMs, true)
  if (retryAfterMs !== undefined) play.awayFor(retryAfterMs, since)
}

/** Ends a WebSocket by its close code alone. */
export const closesAlone = (code: ErrorCode): Step => async play => {
  await play.line.close(code, undefined, false)
}

/** Refuses the next request for the stream. */
export const refuses = (code: ErrorCode, retryAfterMs?: number): Step => async play => {
  await play.refuse(code, retryAfterMs)
}

/** Refuses what a WebSocket has asked for with an `error`. */
export const refusesAction = (code: ErrorCode, retryAfterMs?: number): Step => async ({ line }) => {
  if (line instanceof WebSocketLine) line.refusePending(code, retryAfterMs)
}

/** From now on the server refuses these selectors, on every transport as that does. */
export const forbids = (codes: Readonly<Record<string, ErrorCode>>): Step => async ({ server }) => {
  for (const [selector, code] of Object.entries(codes)) server.refused.set(selector, code)
  server.readmit()
}

/** From now on a WebSocket with one of these tokens is closed with `unauthorized`. */
export const distrusts = (...tokens: string[]): Step => async ({ badTokens }) => {
  for (const token of tokens) badTokens.add(token)
}

/** Turns the client away because of its token. */
export const turnsAway: Step = async play => { await play.turnAway() }

/** Waits until the client shows another token on the connection that it has. */
export const renews = (token: string): Step => async play => {
  await play.until(() => 'it does not renew its token on this connection',
    () => play.line.token === token ? true : undefined)
}

/** Ends an event stream without a word. */
export const finishes: Step = async ({ line }) => {
  if (line instanceof EventStreamLine) await line.finish()
}

/** From now on this stands between the client and the server; requests that came before meet it, too. */
export const blocks = (obstacles: Partial<Record<Transport, Obstacle>>): Step => async ({ server }) => {
  for (const [transport, obstacle] of Object.entries(obstacles)) {
    server.obstacles.set(transport as Transport, obstacle)
  }
  server.readmit()
}

/** Nothing stands between them any more. */
export const unblocks: Step = async ({ server }) => { server.obstacles.clear() }

/** Waits until so many requests for the stream have come over a transport. */
export const meets = (transport: Transport, count = 1): Step => async play => {
  await play.until(() => `it does not try ${transport}`,
    () => play.server.counts[transport] >= count ? true : undefined)
}

/** Looks for a while how often the client tries, while it cannot come through. */
export const triesAtMost = (most: number, milliseconds: number): Step => async play => {
  const tries = (): number => Object.values(play.server.counts).reduce((sum, count) => sum + count, 0)
  const before = tries()
  await delay(milliseconds)
  const made = tries() - before
  if (made > most) throw new Failure(`it tries ${made} times within ${milliseconds} ms`)
}

/** Waits until the client stops for good, or reports its selectors as rejected; then it must stay away. */
export const stops = (code: ErrorCode, mostRequests: number): Step => async play => {
  const { counts } = play.server
  const requests = (): number => Object.values(counts).reduce((sum, count) => sum + count, 0)
  const isEnd = (event: { event: string, state?: unknown, code?: unknown }): boolean => event.code === code &&
    (event.event === 'rejected' || (event.event === 'state' && event.state === 'closed'))
  await play.until(() => `it reports neither closed nor rejected with the code ${code}`, () => {
    if (requests() > mostRequests) throw new Failure(`it comes again after ${code}`)
    return play.driver.events.find(isEnd) === undefined ? undefined : true
  })
  await staysAway(play)
}

/** The client must make no request for the stream for a while. */
export const staysAway: Step = async ({ server: { counts } }) => {
  const before = JSON.stringify(counts)
  await delay(QUIET_MS)
  if (JSON.stringify(counts) !== before) throw new Failure('it comes again after it has stopped')
}

/**
 * Answers nothing from now on, and sends nothing, until the client gives the connection up. A poll by which a
 * client probes an event stream hangs, too, or brings these messages.
 */
export const freezes = (...probed: string[]): Step => async ({ server, line }) => {
  const messages = probed.map(text => itemOf(text)).flatMap(item => 'json' in item ? [item.json] : [])
  server.probe = probed.length === 0 ? 'hangs' : { cursor: 'probed', messages, more: false }
  line.freeze()
}

/** Waits until the client has asked for a sign of life. */
export const isPinged: Step = async play => {
  const { line } = play
  if (!(line instanceof WebSocketLine)) return
  await play.until(() => 'it does not ask a silent server for a sign of life',
    () => line.pings > 0 ? true : line.isGone ? false : undefined)
  if (line.isGone) throw new Failure('it gives up a connection whose server answers')
}

/** Does some steps over these transports alone. */
export const over = (transports: readonly Transport[], ...steps: Step[]): Step => async play => {
  if (transports.includes(play.transport)) for (const step of steps) await step(play)
}

/** Writes text as it is: a frame of a WebSocket, or a part of an event stream. */
export const writes = (text: string | Buffer): Step => async ({ line }) => {
  if (line instanceof WebSocketLine) line.socket.send(text)
  if (line instanceof EventStreamLine) await line.write(String(text))
}

/**
 * Sends a message behind something that is not one. The client may go on, or come back to these selectors, to
 * which the message is sent again.
 */
export const survives = (wanted: string, message: string): Step => async play => {
  const before = play.driver.events.length
  await play.line.send([itemOf(message)])
  const isGoingOn = (): boolean => play.driver.events.slice(before).some(({ event }) => event === 'message')
  const comesBack = await play.until(() => 'it neither goes on nor comes back',
    () => isGoingOn() ? false : play.server.visits.length > 0 ? true : undefined)
  if (!comesBack) return
  await play.open(wantedOf(wanted))
  play.grant()
  await play.line.send([itemOf(message)])
}

/** Does something with the socket of a WebSocket. */
export const onSocket = (work: (socket: WebSocketLine['socket']) => void): Step => async ({ line }) => {
  if (line instanceof WebSocketLine) work(line.socket)
}

/** The server's log begins a new epoch. */
export const begins = (epoch: string): Step => async ({ server }) => { server.epoch = epoch }

/** Obstacles, by what they do. */
export const page = (status: number): Obstacle => ({ kind: 'page', status })
export const hangs: Obstacle = { kind: 'hangs' }
export const mute: Obstacle = { kind: 'mute' }
export const cuts: Obstacle = { kind: 'cuts' }
export const refusing = (code: ErrorCode): Obstacle => ({ kind: 'refuses', code })

/** Answers the next request for the stream as a proxy does. */
export const answersAsProxy = (status: number): Step => async play => {
  (await play.nextVisit('to a proxy')).answer(status, 'text/html', PROXY_PAGE)
}

/** The codes of the table after which a client does this. */
export const codesOf = (...policies: string[]): ErrorCode[] =>
  (Object.keys(errorTable) as ErrorCode[]).filter(code => policies.includes(errorTable[code].client))
