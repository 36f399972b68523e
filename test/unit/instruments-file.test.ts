import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { readInstruments } from '../../src/instruments/file.js'
import { ROOT } from '../helpers/root.js'

/** What a file of instruments may hold, and what the server says of one that it cannot read. */

async function write (t: Test, name: string, content: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tickwire-instruments-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

/** What the refusal says, behind the path. */
async function refusal (t: Test, name: string, content: string | Buffer): Promise<string> {
  const path = await write(t, name, content)
  try {
    await readInstruments(path)
  } catch (error) {
    const { message, name: kind } = error as Error
    t.equal(kind, 'ConfigError', message)
    return message.replace(path, '')
  }
  return 'it was read'
}

const FULL = {
  symbol: '005930',
  name: 'Samsung Electronics, "common"',
  market: 'KOSPI',
  sector: 'semiconductors',
  sector_name: '반도체\nsemiconductors',
  currency: 'KRW',
  tick_size: '0.000000000000000000000000000001',
  lot_size: '1',
  venue_symbol: 'A005930'
}

test('reads a table: any order of columns, quotes, empty cells and lines, all ends of lines', async t => {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
  const columns = Object.keys(FULL).reverse() as Array<keyof typeof FULL>
  for (const end of ['\n', '\r\n', '\r']) {
    for (const mark of ['', '\uFEFF']) {
      const full = columns.map(column => quoted(FULL[column])).join(',')
      const sparse = columns.map(column => column === 'symbol' ? 'BTC-USD' : '').join(',')
      const text = mark + [columns.join(','), full, '', sparse].join(end)
      for (const last of ['', end, end + end]) {
        t.same(await readInstruments(await write(t, 'a.csv', text + last)), [FULL, { symbol: 'BTC-USD' }], JSON.stringify([end, mark, last]))
      }
    }
  }
  t.same(await readInstruments(await write(t, 'a.csv', 'symbol\n')), [], 'no instrument is a list, too')
})

test('reads an array of instruments', async t => {
  t.same(await readInstruments(await write(t, 'a.json', `\uFEFF ${JSON.stringify([FULL, { symbol: '삼성전자' }], undefined, 2)}\n`)), [FULL, { symbol: '삼성전자' }])
  t.same(await readInstruments(await write(t, 'a.json', '[]')), [])
})

test('reads the example, and names it in the docs', async t => {
  t.ok((await readInstruments(join(ROOT, 'examples/instruments.csv'))).length > 3)
})

test('says of a table where it is wrong, and what was expected', async t => {
  const of = (content: string): Promise<string> => refusal(t, 'a.csv', content)
  t.equal(await of('symbol,market,tick_size\nA,X,1\nB,MARKET,"0,5"\n'), ":3:10: tick_size must be a decimal above 0, not '0,5'")
  t.equal(await of('symbol,market,tick_size\r\nA,X,1\r\nB,MARKET,"0,5"\r\n'), ":3:10: tick_size must be a decimal above 0, not '0,5'")
  t.equal(await of('name,symbol,lot_size\n"two\nlines, 삼성",A,1\n\n삼성,B,-1'), ":5:6: lot_size must be a decimal above 0, not '-1'", 'lines and characters as an editor counts them')
  for (const value of ['0', '0.000', '1e3', '+1', ' 1', '.5', '01', 'x', '1'.repeat(65)]) {
    t.match(await of(`symbol,tick_size\nA,${value}\n`), /^:2:3: tick_size must be a decimal above 0, not '/, value)
  }
  t.match(await of('symbol,currency\nA,US$\n'), /^:2:3: currency must be 1 to 16 letters and digits, such as KRW, not 'US\$'$/)
  t.match(await of('symbol,market\nA,a b\n'), /^:2:3: market must be a symbol, not 'a b'$/)
  t.match(await of(`symbol,venue_symbol\nA,${'x'.repeat(65)}\n`), /^:2:3: venue_symbol must be a text of 1 to 64 characters, not 'x{40}…'$/)
  t.match(await of('name,symbol\nA,\n'), /^:2:3: symbol is needed$/)
  t.match(await of('symbol,tick\nA,1\n'), /^:1:8: there is no field 'tick'; there are: symbol, name, market, /)
  t.equal(await of('symbol,name,symbol\nA,a,A\n'), ':1:13: there is a column symbol already')
  t.equal(await of('name\nA\n'), ':1:1: there must be a column symbol')
  t.equal(await of(''), ':1:1: the first line must name the columns, symbol among them')
  t.equal(await of('symbol,name\nA,a\nB,b,c\n'), ':3:5: the line has 3 fields, and the first line names 2')
  t.equal(await of('symbol,name\nA\n'), ':2:1: the line has 1 fields, and the first line names 2')
  t.equal(await of('symbol,name\nA,"a\nB,b\n'), ':2:3: the quote that begins this field is not closed')
  t.match(await of('symbol,name\nA,"a"b\n'), /^:2:3: a field with a quote in it stands in quotes/)
  t.match(await of('symbol,name\nA,a"b\n'), /^:2:3: a field with a quote in it stands in quotes/)
  t.match(await of('symbol,name\n\n"A"B,c\n'), /^:3:1: a field with a quote in it stands in quotes/)
  t.equal(await of('name,symbol\na,A\nb,B\nc,A\n'), ":4:3: the symbol 'A' is on line 2 already")
})

test('says of JSON where it is wrong, and what was expected', async t => {
  const of = (content: string): Promise<string> => refusal(t, 'a.json', content)
  t.equal(await of('['.repeat(100_000)), ':1:1: an array of instruments was expected, and this is nested too deeply')
  t.equal(await of('[{"symbol":"A",\n "symbol":"B"}]'), ":2:2: the field 'symbol' is there twice")
  t.equal(await of('[\n  { "symbol": "A" },\n  { "symbol": "B", "tick_size": 0.5 }\n]'), ':3:33: tick_size must be a decimal above 0, not 0.5')
  t.equal(await of('[{ "symbol": "A" },\n {"name":"x"}]'), ':2:2: symbol is needed')
  t.match(await of('[{ "symbol": "A", "ticks": 1 }]'), /^:1:28: there is no field 'ticks'/)
  t.match(await of('[{ "symbol": "A", "market": null }]'), /^:1:29: market must be a symbol, not null$/)
  t.match(await of('[[1]]'), /^:1:2: an instrument is an object with symbol, /)
  t.equal(await of('[{"symbol":"A"},\n{"symbol":"B"},\n{"symbol":"A"}]'), ":3:11: the symbol 'A' is on line 1 already")
  t.equal(await of('{"symbol":"A"}'), ':1:1: an array of instruments was expected')
  t.equal(await of('[{"symbol":"A"},\n]'), ':2:1: this is not JSON: a value was expected')
  t.equal(await of('[{"symbol":"A"}'), ':1:16: this is not JSON: a comma or ] was expected')
  t.match(await of('[{"symbol":A}]'), /^:1:12: this is not JSON/)
  t.match(await of('[] // none'), /^:1:4: this is not JSON/)
  t.equal(await of(''), ':1:1: this is not JSON: a value was expected')
})

test('says what cannot be read at all', async t => {
  t.equal(await refusal(t, 'a.txt', 'symbol\nA'), 'INSTRUMENTS:  must end in .csv or .json')
  t.equal(await refusal(t, 'a.csv', Buffer.from([0x73, 0xff])), 'INSTRUMENTS:  is not UTF-8')
  await t.rejects(readInstruments('/nowhere/a.csv'), { name: 'ConfigError', message: 'INSTRUMENTS: /nowhere/a.csv cannot be read (ENOENT)' })
})

test('reads ten thousand instruments', async t => {
  const lines = Array.from({ length: 10_000 }, (_, n) => `S${n},Name of ${n},M${n % 10}`)
  t.equal((await readInstruments(await write(t, 'a.csv', `symbol,name,market\n${lines.join('\n')}`))).length, 10_000)
  t.equal(await refusal(t, 'a.csv', `symbol,name,market\n${lines.join('\n')}\nS7,,\n`), ":10002:1: the symbol 'S7' is on line 9 already")
})
