import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import { test } from 'tap'
import { Appender, type AppenderOptions } from '../../src/log/redis/append/appender.js'

/** More than one batch takes. */
const ITEMS = 1200

const items = Array.from({ length: ITEMS }, (_, n) => ({ topic: 'trades:A', payload: String(n) }))

/**
 * Makes an appender over a log that answers each batch as the test says. The next offset follows from what
 * was taken.
 */
function appender (refuses: (number: number) => Error | 'silence' | undefined): {
  appender: Appender
  taken: string[]
} {
  const taken: string[] = []
  const send: AppenderOptions['send'] = async (number, { payloads }) => {
    await delay(1)
    const refusal = refuses(number)
    if (refusal === 'silence') await new Promise(() => {})
    if (refusal instanceof Error) throw refusal
    const first = taken.length + 1
    taken.push(...payloads.trimEnd().split('\n'))
    return JSON.stringify([first, [first - 1, first - 1], []])
  }
  return { appender: new Appender(0, { send, onceKey: (topic, key) => topic + key, flights: 1 }), taken }
}

test('answers what was taken before a refused batch as taken', async t => {
  const { appender: log, taken } = appender(number =>
    number === 2 ? new Error('a key of the log holds something else') : undefined
  )
  const results = await log.append(items)
  t.equal(taken.length, 500)
  t.same(
    results.slice(0, 500),
    taken.map((_, index) => ({ sequence: index + 1, offset: index + 1, shard: 0 }))
  )
  const refused = results.slice(500)
  t.ok(
    refused.every(result => result instanceof ProtocolError && result.code === 'log_unavailable'),
    'everything after it is refused'
  )
  t.notOk(refused.some(result => /may have/.test(String(result))), 'the log certainly has none of that')
  const [again] = await log.append(items.slice(500, 501))
  t.match(again, { sequence: 501 })
})

test('says of an append without an answer that only what was on its way may have been taken', async t => {
  const { appender: log } = appender(number => number === 2 ? 'silence' : undefined)
  const results = await log.append(items)
  const words = results.map(result =>
    result instanceof ProtocolError ? (/may have/.test(result.message) ? 'perhaps' : 'not taken') : 'taken'
  )
  t.same(words, [
    ...Array<string>(500).fill('taken'),
    ...Array<string>(500).fill('perhaps'),
    ...Array<string>(200).fill('not taken')
  ])
  log.close()
})
