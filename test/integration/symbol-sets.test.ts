import { test } from 'tap'
import { type Message, openWebSocket, until } from '../helpers/clients.js'
import { startServer, type TestServer } from '../helpers/server.js'

const get = async (server: TestServer, path: string): Promise<Record<string, unknown>> =>
  await (await fetch(server.origin + path)).json() as Record<string, unknown>

test('grants every listed market and sector as a set, and refuses others where they are declared', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject', SOURCES: 'simulated' })
  const { tickwire } = server.app
  const display = '측정, 시험, 항해, 제어 및 기타 정밀기기 제조업; 광학기기 제외'
  for (const name of [display, 'Consumer Discretionary', 'a,b', '@sector/x', '*', '']) {
    const declared = tickwire.declare([{ symbol: 'GOOD', sector: 'ok' }, { symbol: 'BAD', sector: name }])
    await t.rejects(declared, { code: 'invalid_message', message: /BAD.*sector/ }, `the sector ${name}`)
    const market = tickwire.declare([{ symbol: 'BAD', market: name }])
    await t.rejects(market, { code: 'invalid_message', message: /BAD.*market/ }, `the market ${name}`)
  }
  await tickwire.declare([
    { symbol: '삼성전자', market: '코스피', sector: '반도체', sector_name: '반도체 및 관련장비' },
    { symbol: 'A', market: 'X:Y', sector: '정밀기기', sector_name: display },
    { symbol: 'B', sector: 'B&O', sector_name: 'Consumer Discretionary' }
  ])
  interface Listed { symbol: string, market?: string, sector?: string, sector_name?: string }
  const { symbols } = await get(server, '/v1/symbols') as { symbols: Listed[] }
  t.ok(symbols.some(({ symbol }) => symbol === 'GOOD'), 'the good ones of a declaration stand')
  t.notOk(symbols.some(({ symbol }) => symbol === 'BAD'))
  t.equal(symbols.find(({ symbol }) => symbol === 'A')?.sector_name, display, 'a display name is any text')
  const sets = new Set(symbols.flatMap(({ market, sector }) => [
    ...(market === undefined ? [] : [`@market/${market}`]),
    ...(sector === undefined ? [] : [`@sector/${sector}`])
  ]))
  t.ok(sets.size > 15)
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  await until('welcome', () => messages.length > 0)
  client.send({ action: 'subscribe', id: 1, channel: 'quotes', symbols: [...sets] })
  await until('it is confirmed', () => messages.some(({ id }) => id === 1))
  t.match(messages.find(({ id }) => id === 1), { symbols: [...sets], rejected: [] })
  client.cut()
  for (const set of sets) {
    t.match(
      await get(server, `/v1/stream?subscribe=${encodeURIComponent(`trades:${set}`)}`),
      { cursor: String },
      set
    )
  }
  await tickwire.publish(tickwire.channels.get('market')!, {
    symbol: 'X:Y',
    data: { market: 'X:Y', status: 'open' }
  })
  t.match(await get(server, `/v1/snapshot?topic=${encodeURIComponent('market:X:Y')}`), {
    symbol: 'X:Y',
    data: { market: 'X:Y' }
  })
})
