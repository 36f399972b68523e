import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { TurnBudget } from '../../src/hub/turn-budget.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { readBars } from '../../src/processors/bars/read-bars.js'

/** What the server does for one answer with bars. */

const COUNT = 1700
const REQUEST = { symbol: 'A', interval: '1s', from: undefined, to: undefined, limit: 1 } as const

test('asks for a turn before each piece of work, and reads few messages in one', async t => {
  const log = new MemoryLog({
    channels: standardChannels, retention: { messages: 10_000, seconds: 3600, bytes: 1 << 26 }, maxTopics: 10
  })
  t.teardown(async () => { await log.close() })
  const payloads = Array.from({ length: COUNT }, (_, at) =>
    JSON.stringify({ symbol: 'A', interval: '1s', start: new Date(at * 1000).toISOString().replace('.000', '') }))
  await log.append(payloads.map(payload => ({ topic: 'bars.1s:A', payload, replaces: false })))

  const steps: Array<'turn' | number> = []
  const read = log.read.bind(log)
  log.read = async (...asked) => {
    const page = await read(...asked)
    steps.push(page.entries.length)
    return page
  }
  const turns = new TurnBudget()
  const found = await readBars(log, async () => [], REQUEST, () => {
    steps.push('turn')
    return turns.take(REQUEST)
  })
  t.same(found.bars, payloads.slice(-1))
  t.equal(found.sequence, COUNT)
  t.same(steps, ['turn', 500, 'turn', 500, 'turn', 500, 'turn', 200, 'turn'])
})
