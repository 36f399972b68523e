import { test } from 'tap'
import { Backoff } from '../../src/sources/live/backoff.js'
import {
  Connection, type ConnectionEvent, type ConnectionState, transitions
} from '../../src/sources/live/connection.js'
import { Inbox } from '../../src/sources/live/inbox.js'
import { PacedSender } from '../../src/sources/live/paced-sender.js'
import { Resyncs } from '../../src/sources/live/resyncs.js'
import { type HttpGet, Rest, RestAccount } from '../../src/sources/live/rest.js'
import type { SocketEvents } from '../../src/sources/live/socket.js'
import { FakeClock } from '../helpers/fake-clock.js'

test('waits grow to their bound, each a random part of itself, and begin anew after a success', t => {
  let part = 1 - Number.EPSILON
  const backoff = new Backoff(() => part, 1000, 5000)
  t.same(Array.from({ length: 5 }, () => Math.round(backoff.next())), [1000, 2000, 4000, 5000, 5000])
  part = 0
  t.equal(backoff.next(), 0)
  backoff.reset()
  part = 0.5
  t.equal(backoff.next(), 500)
  t.end()
})

test('sends no more messages in any time than the venue takes, in order', async t => {
  const clock = new FakeClock()
  const sent: Array<[string, number]> = []
  const pace = { messages: 4, perMs: 1000 }
  const sender = new PacedSender(clock, pace, text => { sent.push([text, clock.now()]) })
  for (let id = 0; id < 10; id++) sender.send(String(id))
  await clock.advance(300)
  sender.send('10')
  await clock.advance(5000)
  t.same(sent.map(([text]) => Number(text)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.same(sent.map(([, at]) => at), [0, 0, 0, 0, 1000, 1000, 1000, 1000, 2000, 2000, 2000])
  for (let id = 0; id < 6; id++) sender.send('lost')
  sender.clear()
  await clock.advance(5000)
  t.equal(sent.length, 15, 'what waits for a connection that is gone is dropped')
  t.equal(clock.size, 0)
})

test('an inbox gives what has come at once, in order, and nothing once it is stopped', async t => {
  const inbox = new Inbox<number>(3, 100)
  const stopping = new AbortController()
  const taken = inbox.take(stopping.signal)
  inbox.put(1, 10)
  inbox.put(2, 90)
  t.ok(inbox.isFull, 'by characters')
  t.same(await taken, [1, 2])
  t.notOk(inbox.isFull)
  for (const item of [1, 2, 3]) inbox.put(item, 0)
  t.ok(inbox.isFull, 'by items')
  t.same(await inbox.take(stopping.signal), [1, 2, 3])
  const waiting = inbox.take(stopping.signal)
  stopping.abort()
  t.same(await waiting, [])
  inbox.put(4, 0)
  t.same(await inbox.take(stopping.signal), [])
})

test('a connection goes from state to state only as its table says', t => {
  const events: ConnectionEvent[] = ['start', 'opened', 'data', 'lost', 'due', 'end']
  const row = (state: ConnectionState): string =>
    events.map(event => transitions[state][event] ?? '-').join(' ')
  t.same(Object.keys(transitions).map(state => `${state}: ${row(state as ConnectionState)}`), [
    'idle: connecting - - - - ended',
    'connecting: - open - waiting - ended',
    'open: - - flowing waiting - ended',
    'flowing: - - - waiting - ended',
    'waiting: - - - - connecting ended',
    'ended: - - - - - -'
  ])
  t.end()
})

/** A connection whose sockets do what a test says. */
function connect (limits = {}) {
  const clock = new FakeClock()
  const seen: string[] = []
  const sockets: SocketEvents[] = []
  const connection = new Connection(
    'ws://venue', { pace: { messages: 5, perMs: 1000 }, silenceMs: 10_000, ...limits },
    {
      clock,
      random: () => 0.999999,
      openSocket (_url, events) {
        const id = sockets.push(events)
        seen.push(`connect ${id}`)
        return { send: text => { seen.push(`send ${text}`) }, close: () => { seen.push(`close ${id}`) } }
      }
    },
    {
      opened: isAgain => { seen.push(isAgain ? 'opened again' : 'opened') },
      frame: text => { seen.push(text) },
      lost: reason => { seen.push(reason) }
    }
  )
  return { clock, seen, connection, sockets, newest: () => sockets.at(-1)! }
}

test('gives up a connection that does not come about in time, or falls silent, and makes another', async t => {
  const { clock, seen, connection, newest } = connect()
  connection.start()
  await clock.advance(10_000)
  t.same(seen, ['connect 1', 'close 1', 'connect_timeout'])
  t.equal(connection.state, 'waiting')
  await clock.advance(1000)
  newest().opened()
  newest().frame('a')
  await clock.advance(9999)
  t.equal(connection.state, 'open')
  newest().frame('b')
  await clock.advance(9999)
  t.equal(connection.state, 'open', 'any frame is a sign of life')
  await clock.advance(1)
  t.same(seen.slice(3), ['connect 2', 'opened', 'a', 'b', 'close 2', 'silent'])
})

test('waits ever longer until data has come, however often the venue accepts a connection', async t => {
  const { clock, seen, connection, newest, sockets } = connect()
  connection.start()
  const lose = async (waitMs: number, flows = false): Promise<void> => {
    newest().opened()
    if (flows) connection.noteData()
    newest().closed('cut')
    const { length } = sockets
    await clock.advance(waitMs - 10)
    t.equal(sockets.length, length, `not yet after ${waitMs - 10} ms`)
    await clock.advance(20)
    t.equal(sockets.length, length + 1)
  }
  await lose(1000)
  await lose(2000)
  await lose(4000)
  await lose(1000, true)
  t.equal(seen.at(-2), 'closed')
  newest().closed('refused')
  t.equal(seen.at(-1), 'unreachable')
  connection.end()
  await clock.advance(100_000)
  t.equal(sockets.length, 5)
  t.equal(clock.size, 0, 'nothing is left')
  newest().opened()
  t.equal(connection.state, 'ended')
})

test('has a venue that may be quiet answer now and then', async t => {
  const { clock, seen, connection, newest } = connect({ keepAlive: { everyMs: 4000, frame: 'ping' } })
  connection.start()
  newest().opened()
  for (let n = 0; n < 5; n++) {
    await clock.advance(4000)
    newest().frame('pong')
  }
  t.equal(connection.state, 'open')
  t.equal(seen.filter(text => text === 'send ping').length, 5)
})

test('asks for the snapshot of a stale book once at a time, and ever more rarely if that does not help', async t => {
  const clock = new FakeClock()
  const asked: Array<[string, number]> = []
  const resyncs = new Resyncs(['a', 'b'], {
    clock,
    random: () => 0.999999,
    ask: symbol => {
      asked.push([symbol, clock.now()])
      return true
    }
  })
  resyncs.begin()
  resyncs.arrived('a')
  await clock.advance(9000)
  resyncs.arrived('b')
  await clock.advance(41_000)
  t.same(asked, [], 'the subscription brought both')
  resyncs.failed('a')
  resyncs.failed('a')
  t.same(asked, [['a', 50_000]], 'at once, and one request at a time')
  await clock.advance(0)
  // Each snapshot that comes is no better.
  for (let n = 0; n < 4; n++) {
    resyncs.failed('a')
    await clock.advance(5000)
  }
  const waits = asked.map(([, at], index) => Math.round((at - (asked[index - 1]?.[1] ?? 50_000)) / 10) * 10)
  t.match(waits.slice(0, 2), [0, 500])
  t.ok(asked.every(([symbol]) => symbol === 'a'), 'the other is left alone')
  resyncs.arrived('a')
  const { length } = asked
  await clock.advance(30_000)
  resyncs.failed('a')
  t.equal(asked.length, length + 1, 'one that has been sound for long is asked for at once again')
  resyncs.arrived('a')
  await clock.advance(900_000)
  t.ok(asked.some(([symbol]) => symbol === 'b'), 'each gets a fresh one now and then')
  resyncs.end()
  t.equal(clock.size, 0)
})

test('asks again for a snapshot that does not come', async t => {
  const clock = new FakeClock()
  let asked = 0
  const resyncs = new Resyncs(['a'], { clock, random: () => 0.5, ask: () => ++asked > 0 })
  resyncs.begin()
  resyncs.askAll()
  resyncs.askAll()
  t.equal(asked, 1)
  await clock.advance(10_300)
  t.equal(asked, 2)
  resyncs.forget('a')
  await clock.advance(50_000)
  t.equal(asked, 2, 'a symbol that the venue refuses is left alone')
  resyncs.end()
})

test('spends no more on requests than a venue allows, and pauses for as long as it says', async t => {
  const clock = new FakeClock()
  const asked: number[] = []
  const answers: Array<Awaited<ReturnType<HttpGet>>> = []
  const get: HttpGet = async url => {
    asked.push(clock.now())
    return answers.shift() ?? { url, status: 200, body: url.pathname }
  }
  const stopping = new AbortController()
  const account = new RestAccount()
  const budget = { weight: 100, perMs: 1000 }
  const rest = new Rest('http://venue', budget, account, clock, get, stopping.signal)
  const all = Promise.all(['/1', '/2', '/3', '/4'].map(path => rest.ask(path, 50)))
  await clock.advance(2000)
  t.same((await all).map(({ body }) => body), ['/1', '/2', '/3', '/4'])
  t.same(asked, [0, 0, 500, 1000])
  await clock.advance(1000)

  const url = new URL('http://venue/busy')
  answers.push({ url, status: 429, body: '', retryAfter: '7' }, { url, status: 418, body: '' })
  const busy = t.rejects(rest.ask('/busy', 1), /GET http:\/\/venue\/busy: 429.*nothing more for 7 s/)
  const banned = t.rejects(rest.ask('/busy', 1), /418.*nothing more for 60 s/)
  await clock.advance(6999)
  await busy
  t.equal(asked.length, 5, 'it pauses')
  await clock.advance(1)
  await banned
  t.equal(asked.length, 6)
  const after = new Rest('http://venue', budget, account, clock, get, stopping.signal).ask('/after', 1)
  await clock.advance(59_999)
  t.equal(asked.length, 6, 'a source that starts anew keeps to the pause')
  await clock.advance(1)
  t.equal((await after).body, '/after')
  t.equal(asked[6]! - asked[5]!, 60_000)

  let isWanted = true
  const unwanted = Promise.allSettled(['/a', '/b'].map(path => rest.ask(path, 100, () => isWanted)))
  await clock.advance(0)
  isWanted = false
  await clock.advance(10_000)
  t.same((await unwanted).map(({ status }) => status), ['rejected', 'rejected'])
  t.equal(asked.length, 7, 'nothing is asked, and no weight is spent, once nobody waits for the answer')

  const left = Promise.allSettled(Array.from({ length: 1100 }, () => rest.ask('/many', 100)))
  stopping.abort()
  await clock.advance(0)
  const reasons = (await left).map(result => result.status === 'rejected' ? String(result.reason) : 'answered')
  t.equal(reasons.filter(reason => reason.includes('too many requests wait')).length, 100)
})
