import { test } from 'tap'
import { SymbolFinder } from '../../src/sources/news/symbol-finder.js'
import { describe, listings } from '../../src/sources/simulated/instruments.js'

const finder = new SymbolFinder([
  ...listings.map(describe),
  { symbol: '005935', name: '삼성전자우' },
  { symbol: '005930.K', name: '삼성전자' },
  { symbol: 'TGT', name: 'Target Corporation' },
  { symbol: 'GPS', name: 'Gap' },
  { symbol: 'ON', name: 'ON' },
  { symbol: 'A', name: 'Agilent Technologies' },
  { symbol: 'BTC-USDT', name: 'Bitcoin', venue_symbol: 'BTCUSDT' },
  { symbol: 'low', name: 'small letters' },
  ...Array.from({ length: 9 }, (_, index) => ({ symbol: `E${index}`, name: 'Indexfund' }))
])

const cases: ReadonlyArray<readonly [text: string, ...symbols: string[]]> = [
  ['Apple rises after results', 'AAPL'],
  ["Apple's margins; Microsoft’s, too", 'AAPL', 'MSFT'],
  ['Pineapple growers and an apple a day'],
  ['Samsung Electronics and Samsung SDI', '005930', '006400'],
  ['Samsung shares rise'],
  ['Bitcoin Cash splits', 'BCH-USD'],
  ['Cash in Bitcoin, cash out', 'BTC-USD', 'BTC-USDT'],
  ['삼성전자가 실적을 발표했다', '005930.K'],
  ['삼성전자우 상승', '005935'],
  ['삼성전자서비스 노조'],
  ['Target Corp. cuts its target', 'TGT'],
  ['Target of the probe: a Gap in the law'],
  ['ON the way, A day, F grades, V shapes'],
  ['Agilent Technologies (A) and chips ($ON), up', 'A', 'ON'],
  ['Ford (NYSE: F) recalls'],
  ['Visa rules are tightened'],
  ['Avalanche in the Alps'],
  ['Apple (AAPL) and (NASDAQ: MSFT), [BTC-USD]', 'AAPL', 'MSFT', 'BTC-USD'],
  ['Shares of (005930) in (2026)', '005930'],
  ['$TSLA, $AAPL.', 'TSLA', 'AAPL'],
  ['Bank of America, Coca-Cola', 'BAC', 'KO'],
  ['bank of America. Bank. Of America'],
  ['the Indexfund',],
  ['small letters in a text'],
  ['POSCO, KB Financial, NAVER', '005490', '105560', '035420'],
  ['BTCUSDT (BTCUSDT)', 'BTC-USDT'],
  ['']
]

test('finds instruments by whole names, and by symbols that are written as such', t => {
  for (const [text, ...symbols] of cases) t.strictSame(finder.find(text), symbols, text)
  t.end()
})

test('finds a bounded number, and copes with long texts and many instruments', t => {
  const many = new SymbolFinder(Array.from({ length: 20_000 }, (_, index) => ({ symbol: `S${index}`, name: `Company Number ${index}` })))
  const text = Array.from({ length: 1000 }, (_, index) => `Company Number ${index}`).join(' and ')
  t.strictSame(many.find(text), Array.from({ length: 32 }, (_, index) => `S${index}`))
  t.end()
})
