import type { MarketStatus, Trade } from '@tickwire/protocol'
import { test } from 'tap'
import { listings } from '../../src/sources/simulated/instruments.js'
import { Schedule } from '../../src/sources/simulated/hours.js'
import { krx, venueRules } from '../../src/sources/simulated/venue.js'
import { makeMarket, MONDAY, play } from '../helpers/simulated.js'

const us = venueRules.find(({ name }) => name === 'US')!
const at = (text: string): number => Date.parse(text)
const said = (schedule: Schedule, time: string): string => {
  const { status, until } = schedule.phaseAt(at(time))
  return `${status} until ${new Date(until).toISOString().slice(0, 16)}`
}

test('keeps the hours of the venues in their own zones, over weekends and summer time', async t => {
  const seoul = new Schedule(krx.hours, 'weekdays')
  t.equal(said(seoul, '2026-01-04T23:29:59.999Z'), 'closed until 2026-01-04T23:30')
  t.equal(said(seoul, '2026-01-04T23:30:00Z'), 'pre_open until 2026-01-05T00:00')
  t.equal(said(seoul, '2026-01-05T00:00:00Z'), 'open until 2026-01-05T06:30')
  t.equal(said(seoul, '2026-01-05T06:30:00Z'), 'closed until 2026-01-05T23:30')
  t.equal(
    said(seoul, '2026-01-09T06:30:00Z'),
    'closed until 2026-01-11T23:30',
    'on Friday until Monday, as it is there'
  )
  t.equal(said(new Schedule(krx.hours, 'every'), '2026-01-10T01:00:00Z'), 'open until 2026-01-10T06:30')

  const york = new Schedule(us.hours, 'weekdays')
  t.equal(said(york, '2026-01-05T14:30:00Z'), 'open until 2026-01-05T21:00')
  t.equal(said(york, '2026-07-06T13:30:00Z'), 'open until 2026-07-06T20:00')
  t.equal(
    said(york, '2026-03-06T21:00:00Z'),
    'closed until 2026-03-09T13:00',
    'over the weekend on which summer time begins'
  )
  t.equal(
    said(york, '2026-10-30T20:00:00Z'),
    'closed until 2026-11-02T14:00',
    'over the weekend on which it ends'
  )

  const always = new Schedule(krx.hours, 'never')
  t.equal(said(always, '2026-01-10T01:00:00Z'), 'open until 2026-01-11T00:00')
  t.not(
    always.phaseAt(at('2026-01-09T23:59:59Z')).day,
    always.phaseAt(at('2026-01-10T00:00:00Z')).day,
    'a new day begins when it would open'
  )
  t.equal(always.openingBefore(at('2026-01-09T23:59:59Z')), at('2026-01-09T00:00:00Z'))
})

test('a real week: each status follows the one before, at the time that it named', async t => {
  const FOLLOWS: Readonly<Record<string, readonly string[]>> = {
    closed: ['pre_open'],
    pre_open: ['open'],
    open: ['halted', 'closed'],
    halted: ['open', 'closed']
  }
  const STEP_MS = 60_000
  const market = makeMarket({ seed: 4, rate: 0.02, hours: 'real' }, at('2026-01-04T20:00:00Z'))
  const before = new Map<string, MarketStatus>()
  const seen = new Map<string, string[]>()
  for (let now = market.time; now < at('2026-01-12T20:00:00Z'); now += STEP_MS) {
    for (const { channel, data } of market.advance(now).messages) {
      if (channel !== 'market') continue
      const status = data as MarketStatus
      const last = before.get(status.market)
      seen.set(status.market, [...seen.get(status.market) ?? [], status.status])
      before.set(status.market, status)
      if (last === undefined) continue
      if (!FOLLOWS[last.status]!.includes(status.status)) {
        t.fail(`${status.market}: ${status.status} after ${last.status}`)
      }
      const late = now - at(last.until!)
      const isHalt = status.status === 'halted'
      if (isHalt ? late >= 0 || status.reason === undefined : late < 0 || late > 2 * STEP_MS) {
        const when = new Date(now).toISOString()
        t.fail(`${status.market}: ${status.status} at ${when}, ${last.status} until ${last.until}`)
      }
    }
  }
  t.same(seen.get('CRYPTO'), ['open'])
  t.equal(before.get('CRYPTO')!.until, undefined)
  for (const name of ['KOSPI', 'KOSDAQ', 'NASDAQ', 'NYSE']) {
    const statuses = seen.get(name)!
    t.equal(statuses.filter(status => status === 'pre_open').length, 6, `${name} opens on weekdays`)
  }
  t.same(seen.get('KOSPI'), seen.get('KOSDAQ'))
  t.ok(
    seen.get('NASDAQ')!.includes('halted') || seen.get('KOSPI')!.includes('halted'),
    'a market is halted now and then'
  )
})

test('a fast clock begins just before an opening, and soon reaches the next day', async t => {
  const SPEED = 3600
  const market = makeMarket({ rate: 10, hours: SPEED })
  const openings: number[] = []
  let first: string | undefined
  for (let now = MONDAY; now < MONDAY + 80_000; now += 100) {
    for (const { channel, symbol, data } of market.advance(now).messages) {
      if (channel !== 'market' || symbol !== 'KOSPI') continue
      const { status } = data as MarketStatus
      first ??= status
      if (status === 'pre_open') openings.push((now - MONDAY) / 1000)
    }
  }
  t.equal(first, 'closed')
  // The market begins half an hour before the opening; on this clock it opens after five seconds.
  t.same(openings.map(seconds => Math.floor(seconds)), [4, 28, 52, 76])
})

test('always: has one status, and trades everything at once', async t => {
  const messages = play({ rate: 10 }, 10)
  t.same(
    messages.filter(({ channel }) => channel === 'market').map(({ data }) => data),
    ['KOSPI', 'KOSDAQ', 'NASDAQ', 'NYSE', 'CRYPTO', 'FX'].map(market => ({ market, status: 'open' }))
  )
  t.equal(
    new Set(messages.filter(({ channel }) => channel === 'trades').map(({ symbol }) => symbol)).size,
    listings.length
  )
})

test('always: halts a venue now and then, says until when, and opens it again', async t => {
  const market = makeMarket({ seed: 7, rate: 1, haltEveryMs: 600_000 })
  const statuses = new Map<string, MarketStatus[]>()
  const halted = new Set<string>()
  const marketOf = new Map(listings.map(({ symbol, market }) => [symbol, market]))
  for (let now = MONDAY; now < MONDAY + 7_200_000; now += 1000) {
    for (const { channel, symbol = '', data } of market.advance(now).messages) {
      if (channel === 'quotes' && halted.has(marketOf.get(symbol)!)) t.fail(`${symbol} while its market is halted`)
      if (channel !== 'market') continue
      const status = data as MarketStatus
      const before = statuses.get(symbol)?.at(-1)
      if (status.status === 'halted') halted.add(symbol)
      else halted.delete(symbol)
      if (status.status === 'open' && before?.status === 'halted') {
        const late = now - at(before.until!)
        if (late < 0 || late > 2000) t.fail(`${symbol} opens ${late} ms after it said`)
      }
      statuses.set(symbol, [...statuses.get(symbol) ?? [], status])
    }
  }
  for (const name of ['KOSPI', 'NASDAQ']) {
    const seen = statuses.get(name)!
    t.ok(seen.length > 4, `${name}: ${seen.length} changes`)
    t.ok(seen.every(({ status }, index) => status === (index % 2 === 0 ? 'open' : 'halted')))
    t.ok(seen.every(({ status, reason, until }) => (status === 'halted') === (reason !== undefined && until !== undefined)))
  }
  for (const name of ['CRYPTO', 'FX']) t.equal(statuses.get(name)!.length, 1, `${name} never halts`)
})

test('trades more at the opening and the end of a session', async t => {
  const volumes = [0, 0, 0, 0, 0, 0, 0]
  for (const { channel, symbol, data } of play({ seed: 2, rate: 0.1, hours: 'real' }, 6.5 * 3600, at('2026-01-05T00:00:00Z'))) {
    const listing = listings.find(listing => listing.symbol === symbol)
    if (channel !== 'trades' || listing?.market !== 'KOSPI') continue
    const { timestamp, size } = data as Trade
    volumes[new Date(timestamp).getUTCHours()]! += Number(size) / listing.levelSize
  }
  const [opening = 0, , , noon = 0, , closing = 0] = volumes
  t.ok(opening > 1.5 * noon && closing > 1.5 * noon, volumes.map(Math.round).join(' '))
})

test('a clock that jumps: does not make up for what it missed, and takes the statuses of the new time', async t => {
  const market = makeMarket({ hours: 'real' }, at('2026-01-05T03:00:00Z'))
  t.ok(
    market
      .advance(at('2026-01-05T03:00:10Z'))
      .messages.some(({ channel, symbol }) => channel === 'quotes' && symbol === '005930')
  )
  const jump = (time: string): string[] => {
    market.skipTo(at(time))
    const { messages } = market.advance(at(time) + 1000)
    t.ok(messages.length < 1000)
    return messages
      .filter(({ channel, symbol }) => channel === 'market' && symbol === 'KOSPI')
      .map(({ data }) => (data as MarketStatus).status)
  }
  t.same(jump('2026-01-05T12:00:00Z'), ['closed'])
  t.same(jump('2026-01-06T03:00:00Z'), ['open'])
  t.same(jump('2026-01-05T23:45:00Z'), ['pre_open'], 'also back')
})
