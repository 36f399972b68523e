import {
  type ChannelAccess,
  type ChannelDefinition,
  type ErrorCode,
  standardChannels
} from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { ANONYMOUS, type Identity } from '../../src/auth/identity.js'
import { refuseAdmin, refusePublish, refuseRead, refuseTrade } from '../../src/auth/permissions.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 500)

const channel = (name: string, access: ChannelAccess, keyed: boolean): ChannelDefinition => ({
  ...standardChannels.get('quotes')!,
  name,
  access,
  keyed
})
const quotes = channel('quotes', 'public', true)
const news = channel('news', 'public', false)
const orders = channel('orders', 'user', false)
const strategy = channel('strategy', 'user', true)
const instruments = channel('instruments', 'internal', true)
const monitor = channel('monitor', 'admin', false)

const alice: Identity = { user: 'alice', admin: false }
const reader = (...read: string[]): Identity => ({ ...alice, read })
const publisher = (...publish: string[]): Identity => ({ ...alice, publish })
const admin: Identity = { user: 'root', admin: true }

/** An access that no definition may have, but that a program without types could write. */
const unknownAccess = channel('unheard', 'private' as ChannelAccess, true)

type Case = readonly [
  name: string,
  identity: Identity,
  channel: ChannelDefinition,
  symbol: string | undefined,
  code: ErrorCode | undefined
]

const reads: readonly Case[] = [
  ['anybody, a channel of operators', ANONYMOUS, monitor, undefined, 'unauthorized'],
  ['a user, a channel of operators', alice, monitor, undefined, 'forbidden'],
  ['a user who may read all, a channel of operators', reader('*'), monitor, undefined, 'forbidden'],
  ['a user whose token names it, a channel of operators', reader('monitor'), monitor, undefined, 'forbidden'],
  ['an operator, a channel of operators', admin, monitor, undefined, undefined],
  ['an operator who may read another channel', { ...admin, read: ['quotes:*'] }, monitor, undefined, 'forbidden'],
  ['anybody, a public topic', ANONYMOUS, quotes, 'AAPL', undefined],
  ['anybody, all of a public channel', ANONYMOUS, quotes, '*', undefined],
  ['anybody, a set', ANONYMOUS, quotes, '@market/KOSPI', undefined],
  ['anybody, a public channel without symbols', ANONYMOUS, news, undefined, undefined],
  ['anybody, a private channel', ANONYMOUS, orders, undefined, 'unauthorized'],
  ['anybody, a private topic', ANONYMOUS, strategy, 'S1', 'unauthorized'],
  ['anybody, an internal topic', ANONYMOUS, instruments, 'AAPL', 'unknown_channel'],

  ['anybody, a channel with an unknown access', ANONYMOUS, unknownAccess, 'AAPL', 'unknown_channel'],
  ['a user who may read all, a channel with an unknown access', reader('*'), unknownAccess, 'AAPL', 'unknown_channel'],

  ['a user, a public topic', alice, quotes, 'AAPL', undefined],
  ['a user, all of a public channel', alice, quotes, '*', undefined],
  ['a user, their own channel', alice, orders, undefined, undefined],
  ['a user, their own topic', alice, strategy, 'S1', undefined],
  ['a user, all of their own', alice, strategy, '*', undefined],
  ['a user, an internal topic', alice, instruments, 'AAPL', 'unknown_channel'],

  ['no pattern at all', reader(), quotes, 'AAPL', 'forbidden'],
  ['no pattern at all, their own', reader(), orders, undefined, 'forbidden'],
  ['everything', reader('*'), quotes, 'AAPL', undefined],
  ['everything, a whole channel', reader('*'), quotes, '*', undefined],
  ['everything, a set', reader('*'), quotes, '@market/KOSPI', undefined],
  ['everything, without symbols', reader('*'), news, undefined, undefined],
  ['everything, their own', reader('*'), orders, undefined, undefined],
  ['everything, but nothing internal', reader('*'), instruments, 'AAPL', 'unknown_channel'],
  ['an internal channel by name', reader('instruments:*'), instruments, '*', 'unknown_channel'],
  ['a channel', reader('quotes:*'), quotes, 'AAPL', undefined],
  ['a channel, all of it', reader('quotes:*'), quotes, '*', undefined],
  ['a channel, a set of it', reader('quotes:*'), quotes, '@sector/oil', undefined],
  ['a channel, another', reader('trades:*'), quotes, 'AAPL', 'forbidden'],
  ['a channel of a longer name', reader('quotes2:*'), quotes, 'AAPL', 'forbidden'],
  ['a channel of a shorter name', reader('quote:*'), quotes, 'AAPL', 'forbidden'],
  ['a topic', reader('quotes:AAPL'), quotes, 'AAPL', undefined],
  ['a topic, another', reader('quotes:AAPL'), quotes, 'MSFT', 'forbidden'],
  ['a topic, in other letters', reader('quotes:aapl'), quotes, 'AAPL', 'forbidden'],
  ['a topic, all of its channel', reader('quotes:AAPL'), quotes, '*', 'forbidden'],
  ['a topic, a set that may hold others', reader('quotes:AAPL'), quotes, '@market/KOSPI', 'forbidden'],
  ['the beginning of a topic', reader('quotes:AA'), quotes, 'AAPL', 'forbidden'],
  ['a star within a symbol is no pattern', reader('quotes:A*'), quotes, 'AAPL', 'forbidden'],
  ['a channel with symbols, named without', reader('quotes'), quotes, 'AAPL', 'forbidden'],
  ['a channel without symbols', reader('news'), news, undefined, undefined],
  ['a channel without symbols, with a star', reader('news:*'), news, undefined, undefined],
  ['several patterns', reader('news', 'quotes:MSFT', 'quotes:AAPL'), quotes, 'AAPL', undefined],
  ['patterns that do not name their own', reader('quotes:*'), orders, undefined, 'forbidden'],
  ['their own by name', reader('orders'), orders, undefined, undefined],
  ['another topic of their own', reader('strategy:S1'), strategy, 'S2', 'forbidden'],
  ['a pattern for a private channel, without a user', { admin: false, read: ['*'] }, orders, undefined, 'unauthorized'],
  ['publishing is not reading', { ...reader(), publish: ['*'] }, quotes, 'AAPL', 'forbidden'],
  ['an admin reads what all read', admin, quotes, 'AAPL', undefined],
  ['an admin has no internal channels either', admin, instruments, 'AAPL', 'unknown_channel']
]

const publishes: readonly Case[] = [
  ['everything, but not a channel of operators', publisher('*'), monitor, undefined, 'forbidden'],
  ['a channel of operators by name', publisher('monitor'), monitor, undefined, 'forbidden'],
  ['an operator, a channel of operators', { ...admin, publish: ['monitor'] }, monitor, undefined, undefined],
  ['anybody', ANONYMOUS, quotes, 'AAPL', 'unauthorized'],
  ['somebody without a name, whatever it says', { admin: false, publish: ['*'] }, quotes, 'AAPL', 'unauthorized'],
  ['a user without the claim', alice, quotes, 'AAPL', 'forbidden'],
  ['a user without the claim, their own channel', alice, orders, undefined, 'forbidden'],
  ['no pattern at all', publisher(), quotes, 'AAPL', 'forbidden'],
  ['everything', publisher('*'), quotes, 'AAPL', undefined],
  ['everything, private channels', publisher('*'), orders, undefined, undefined],
  ['everything, but nothing with an unknown access', publisher('*'), unknownAccess, 'AAPL', 'unknown_channel'],
  ['everything, but nothing internal', publisher('*'), instruments, 'AAPL', 'unknown_channel'],
  ['a channel', publisher('quotes:*'), quotes, 'AAPL', undefined],
  ['a channel, another', publisher('quotes:*'), news, undefined, 'forbidden'],
  ['a topic', publisher('quotes:AAPL'), quotes, 'AAPL', undefined],
  ['a topic, another', publisher('quotes:AAPL'), quotes, 'MSFT', 'forbidden'],
  ['a private channel by name', publisher('orders'), orders, undefined, undefined],
  ['a private topic by name', publisher('strategy:S1'), strategy, 'S2', 'forbidden'],
  ['reading is not publishing', reader('*'), quotes, 'AAPL', 'forbidden'],
  ['an admin without the claim', admin, quotes, 'AAPL', 'forbidden'],
  ['an internal channel, asked by nobody', ANONYMOUS, instruments, 'AAPL', 'unknown_channel']
]

test("lets a user read what the patterns and the channel's access allow", async t => {
  for (const [name, identity, channel, symbol, code] of reads) {
    t.equal(refuseRead(identity, channel, symbol), code, name)
  }
})

test('lets a user publish only what the patterns allow', async t => {
  for (const [name, identity, channel, symbol, code] of publishes) {
    t.equal(refusePublish(identity, channel, symbol), code, name)
  }
})

test('lets only an admin with a name administer', async t => {
  t.equal(refuseAdmin(ANONYMOUS), 'unauthorized')
  t.equal(refuseAdmin({ admin: true }), 'unauthorized', 'an admin has a name')
  t.equal(refuseAdmin(alice), 'forbidden')
  t.equal(
    refuseAdmin({ ...alice, read: ['*'], publish: ['*'] }),
    'forbidden',
    'patterns do not make an admin'
  )
  t.equal(refuseAdmin(admin), undefined)
})

test('lets a user trade only what the claim says', async t => {
  const trader = (trade: true | string[]): Identity => ({ ...alice, trade })
  const cases: ReadonlyArray<readonly [string, Identity, string | undefined, ErrorCode | undefined]> = [
    ['anybody', ANONYMOUS, 'AAPL', 'unauthorized'],
    ['somebody without a name, whatever it says', { admin: false, trade: true }, 'AAPL', 'unauthorized'],
    ['a user without the claim', alice, 'AAPL', 'forbidden'],
    ['a user who may read and publish all', { ...alice, read: ['*'], publish: ['*'] }, 'AAPL', 'forbidden'],
    ['an admin without the claim', admin, 'AAPL', 'forbidden'],
    ['all', trader(true), 'AAPL', undefined],
    ['all, the orders of every symbol', trader(true), undefined, undefined],
    ['every symbol by a star', trader(['*']), 'AAPL', undefined],
    ['every symbol by a star, the orders of every symbol', trader(['*']), undefined, undefined],
    ['no symbol', trader([]), 'AAPL', 'forbidden'],
    ['a symbol', trader(['MSFT', 'AAPL']), 'AAPL', undefined],
    ['another symbol', trader(['MSFT']), 'AAPL', 'forbidden'],
    ['a symbol, the orders of every symbol', trader(['AAPL']), undefined, 'forbidden'],
    ['the beginning of a symbol', trader(['AA', 'A*']), 'AAPL', 'forbidden'],
    ['a topic is no symbol', trader(['quotes:*', 'orders']), 'AAPL', 'forbidden']
  ]
  for (const [name, identity, symbol, code] of cases) t.equal(refuseTrade(identity, symbol), code, name)
})

test('takes no right away for one more pattern, and grants each topic of a granted channel', async t => {
  const pattern = fc.constantFrom(
    '*',
    'quotes:*',
    'quotes:AAPL',
    'quotes:MSFT',
    'quotes',
    'news',
    'news:*',
    'orders',
    'strategy:*',
    'strategy:S1',
    'instruments:*'
  )
  const asked = fc.constantFrom<readonly [ChannelDefinition, string | undefined]>(
    [quotes, 'AAPL'],
    [quotes, 'MSFT'],
    [quotes, '*'],
    [quotes, '@market/KOSPI'],
    [news, undefined],
    [orders, undefined],
    [strategy, 'S1'],
    [strategy, '*'],
    [instruments, 'AAPL']
  )
  fc.assert(fc.property(fc.array(pattern), pattern, asked, (patterns, more, [channel, symbol]) => {
    for (const [refuse, identity] of [[refuseRead, reader], [refusePublish, publisher]] as const) {
      const before = refuse(identity(...patterns), channel, symbol)
      const after = refuse(identity(...patterns, more), channel, symbol)
      if (before === undefined && after !== undefined) throw new Error(`${more} takes away ${channel.name}`)
      const all = channel.keyed ? refuse(identity(...patterns), channel, '*') : before
      if (all === undefined && before !== undefined) {
        throw new Error(`all of ${channel.name}, but not ${symbol}`)
      }
    }
  }), { numRuns })
  t.pass(`${numRuns} sets of patterns`)
})
