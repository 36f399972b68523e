import { test } from 'tap'
import { dataOf, topics } from '../clients/topics.js'
import { Judge } from '../clients/judge.js'

const TOPIC = 'trades:C1'
const none = new Map<string, number>(topics.map(topic => [topic, 0]))
const published = (count: number): Map<string, number> =>
  new Map([...none, ['quotes:C3', -1], [TOPIC, count]])

const trade = (sequence: number, more: object = {}): string =>
  `message ${JSON.stringify({ type: 'trade', channel: 'trades', symbol: 'C1', sequence, data: dataOf(TOPIC, sequence), ...more })}`
const welcome = 'message {"type":"welcome"}'
const cursor = 'message {"type":"cursor","cursor":"c"}'

function judged (lines: readonly string[], isPoll = false): Judge {
  const judge = new Judge(isPoll)
  lines.forEach((line, index) => { judge.take(line, index + 1) })
  return judge
}

test('passes a client that got everything, and counts what came again after the cursor as a duplicate', async t => {
  const judge = judged([
    'ask start',
    welcome,
    cursor,
    trade(1),
    cursor,
    trade(2),
    'lost 1006',
    'ask cursor',
    welcome,
    trade(2),
    trade(3)
  ])
  t.same(judge.faults, [])
  t.match(judge, { duplicates: 1, gaps: 0, byProgram: 1, byLibrary: 0 })
  t.equal(judge.missing(none, published(3)), 0)
})

test('recognizes a library that reconnects by itself: the program did not ask for the connection', async t => {
  t.match(judged(['ask start', welcome, cursor, 'lost', welcome, cursor]), { byLibrary: 1, byProgram: 0 })
})

test('counts polls that go on after a break', async t => {
  t.match(
    judged(
      [
        'ask start',
        trade(1),
        'cursor a',
        'ask cursor',
        'lost 503',
        'ask cursor',
        'cursor b',
        'ask cursor',
        'cursor c'
      ],
      true
    ),
    { byProgram: 1, byLibrary: 0, cursorAt: 9 }
  )
})

test('splits the arrays of a batch', async t => {
  const judge = judged(['ask start', welcome, `message [${trade(1).slice(8)},${trade(2).slice(8)}]`])
  t.equal(judge.missing(none, published(2)), 0)
  t.ok(judge.longest > trade(1).length)
})

for (const [what, lines, fault] of [
  ['a gap', [welcome, trade(1), trade(3)], /a gap before trades:C1 3/],
  ['a reset', [welcome, 'message {"type":"reset","channel":"trades","symbol":"C1","reason":"history_lost"}'], /was reset/],
  ['a message twice on a connection', [welcome, trade(1), trade(1)], /came twice on one connection/],
  ['a message other than the published one', [welcome, trade(1, { data: dataOf(TOPIC, 2) })], /trades:C1 1 says/],
  ['text that is not JSON', [welcome, 'message '], /not JSON/],
  ['a refusal', ['refused 403 forbidden'], /refused for good: 403/],
  ['word that it lags', [welcome, 'message {"type":"lagging","behind":3}'], /was told/]
] as const) {
  test(`fails a client that got ${what}`, async t => {
    const { faults } = judged(['ask start', ...lines])
    t.equal(faults.length, 1)
    t.match(faults[0], fault)
  })
}

test('counts the messages that never came', async t => {
  t.equal(judged(['ask start', welcome, trade(1), trade(3)]).missing(none, published(4)), 2)
})
