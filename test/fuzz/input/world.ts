import { DECIMAL_PATTERN, isSymbol, SYMBOL_FORMAT } from '@tickwire/protocol'
import type { TSchema } from '@sinclair/typebox'
import type { Choices } from '../../helpers/random.js'
import { goodClaims, makeToken } from '../../helpers/tokens.js'
import { ODD_TEXTS } from './odd.js'

/**
 * Symbols that inputs name. They are few, so that inputs share them; some are as long or as strange as a
 * symbol may be.
 */
export const SYMBOLS: readonly string[] = [
  ...Array.from({ length: 20 }, (_, index) => `S${index}`), 'BTC-USD', '005930', 'EUR/USD', 'BRK.B', 'ES=F', '^GSPC', 'a', 'constructor', 'toString', 'A'.repeat(64), '0._/=^:+&#!-', 'BTC/USDT:USDT', '삼성전자', '𐀀'.repeat(64)
].filter(isSymbol)

export const SETS: readonly string[] = ['*', '@market/M0', '@market/M1', '@sector/X0', '@sector/semiconductors', '@sector/반도체', '@market/nowhere']
const USERS: readonly string[] = ['alice', 'bob', 'carol!', 'd:e', '__proto__', 'é📈']
const CHANNELS: readonly string[] = ['quotes', 'trades', 'bars.1s', 'bars.1m', 'bars.5m', 'book', 'market', 'news', 'system', 'orders', 'portfolio', 'alerts', 'heatmap', 'heatmap.book']
const OTHER_CHANNELS: readonly string[] = ['instruments', 'instruments.overrides', 'commands', 'accounts', 'open_orders', 'strategy', 'monitor', 'nothing', 'constructor', 'q'.repeat(32)]

const KEPT = 64

/** Some of what was given out lately. */
class Ring {
  private readonly kept: string[] = []
  private next = 0

  add (text: string): void {
    this.kept[this.next++ % KEPT] = text
  }

  pick (random: Choices): string | undefined {
    return this.kept.length === 0 ? undefined : random.pick(this.kept)
  }
}

/** Whom a connection or a request belongs to. */
export interface Person {
  readonly user: string
  readonly token: string
}

/** What inputs name that is there, and what the server gave out. */
export class World {
  readonly cursors = new Ring()
  readonly epochs = new Ring()
  readonly connectionIds = new Ring()
  readonly people: readonly Person[]
  /** Everything may be published, but to the neighbours' topics. */
  readonly publisher: string
  readonly admin: string
  private readonly otherTokens: readonly string[]

  constructor (secret: string) {
    const sign = (claims: object, header?: object): string => makeToken(secret, claims, header)
    this.people = USERS.map(user => ({ user, token: sign(goodClaims({ sub: user, trade: true })) }))
    const publish = CHANNELS.flatMap(channel => [channel, ...SYMBOLS.map(symbol => `${channel}:${symbol}`)])
    this.publisher = sign(goodClaims({ sub: 'alice', publish: publish.slice(0, 1000) }))
    this.admin = sign(goodClaims({ sub: 'root', admin: true }))
    this.otherTokens = [
      'nonsense', 'a.b.c', '..', '', sign(goodClaims({ sub: 'alice' }, -3600)), sign({ sub: 'alice' }), sign(goodClaims({ sub: '' })), sign(goodClaims({ sub: 7 })), sign(goodClaims({ sub: 'x'.repeat(129) })),
      sign({ ...goodClaims({ sub: 'alice' }), iss: 'another' }), sign({ ...goodClaims({ sub: 'alice' }), aud: 'another' }), sign({ ...goodClaims({ sub: 'alice' }), exp: 'never' }), sign({ ...goodClaims({ sub: 'alice' }), exp: 1e300 }),
      makeToken('another secret', goodClaims({ sub: 'alice', admin: true })), sign(goodClaims({ sub: 'alice' }), { alg: 'none' }), sign(goodClaims({ sub: 'alice' }), { alg: 'RS256', kid: '../../x' }),
      `${makeToken(secret, goodClaims({ sub: 'alice' })).split('.').slice(0, 2).join('.')}.`, sign(goodClaims({ sub: 'alice', read: ['quotes:*'] })), sign(goodClaims({ sub: 'alice', read: [] })), sign(goodClaims({ sub: 'alice', read: 'all' })), 'x'.repeat(8193)
    ]
  }

  token (random: Choices, { token }: Person): string {
    const draw = random.next()
    if (draw < 0.6) return token
    if (draw < 0.8) return random.pick(this.otherTokens)
    return draw < 0.9 ? random.pick(this.people).token : this.publisher
  }

  channel (random: Choices): string {
    return random.next() < 0.93 ? random.pick(CHANNELS) : random.pick(OTHER_CHANNELS)
  }

  cursor (random: Choices): string {
    const cursor = this.cursors.pick(random)
    const draw = random.next()
    if (cursor === undefined || draw < 0.1) return random.pick(['AAAAAAAA', 'AQAAAAA', 'AQAAAAEAAAAAAAAAAAAA', 'AQAAAAH_____________', 'AQAAAAA~~', '~~', '.r0', ...ODD_TEXTS.slice(0, 12), 'A'.repeat(512), 'A'.repeat(513)])
    if (draw < 0.2) return cursor + random.pick(['~quotes', '~~', '.r0', '.rzzzzzzzzzz', '~quotes~book', '~book~quotes', '~nothing', '=', '.r0~~'])
    if (draw < 0.25) return cursor.slice(0, random.integer(1, cursor.length))
    return cursor
  }

  epoch (random: Choices): string {
    return random.next() < 0.8 ? this.epochs.pick(random) ?? 'AAAAAA' : random.pick(['AAAAAA', 'AAAAAAAAAAA', '_____w', 'nonsense', ''])
  }
}

const DECIMALS: readonly string[] = ['0', '-0', '0.00', '1', '185.50', '-3.25', '0.00000001', '99999999999999999999.9', `1.${'0'.repeat(60)}`, '9'.repeat(64)]
const TIMES: readonly string[] = ['2026-02-07T14:30:00Z', '2026-02-07T14:30:00.123456789+09:00', '2024-02-29T00:00:00Z', '9999-12-31T23:59:60Z', '0000-01-01T00:00:00.0-00:00']

const STARTS: readonly string[] = ['2026-02-07T14:30:00Z', '2024-02-29T00:00:00Z', '2026-02-07T14:30:01Z', '9999-12-31T23:59:59Z']

/** Returns the meaning of the texts in a channel's data, by their patterns. */
export function dataMeaning (
  random: Choices,
  symbol: string | undefined
): (name: string, schema: TSchema) => unknown {
  return (name, { pattern, format }) => {
    if (format === SYMBOL_FORMAT) return name === 'symbol' && symbol !== undefined ? symbol : random.pick(SYMBOLS)
    if (pattern === undefined) return name === 'bids' || name === 'asks' ? Array.from({ length: random.integer(0, 12) }, () => [random.pick(DECIMALS), random.pick(DECIMALS)]) : undefined
    if (pattern === DECIMAL_PATTERN) return random.pick(DECIMALS)
    return name === 'start' ? random.pick(STARTS) : random.pick(TIMES)
  }
}
