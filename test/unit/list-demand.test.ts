import { alertRules, standardChannels } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { ListDemand } from '../../src/user-lists/list-demand.js'
import { rulesWant } from '../../src/alerts/rule-wants.js'
import type { Selector } from '../../src/hub/audience/selector.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Publisher } from '../../src/publisher/publisher.js'

/** What alert rules demand of sources, as a node hears of them. */

test('demands what rules watch, once for each user, and what is left after a loss', async t => {
  const channels = standardChannels
  const retention = { messages: 100, seconds: 3600, bytes: 1 << 20 }
  const log = new MemoryLog({ channels, shards: 3, maxTopics: 100, retention })
  const publisher = new Publisher({ log, channels })
  const say = async (user: string, ...rules: object[]): Promise<void> => {
    const times = { version: 1, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' }
    const whole = rules.map((rule, index) =>
      ({ rule_id: `r${index}`, type: 'price', above: '1', ...times, ...rule }))
    const data = rules.length === 0 ? null : { rules: whole }
    const [result] = await publisher.publishOwn([{ channel: alertRules.name, user, data }])
    t.match(result, { sequence: Number })
  }
  const wanted: string[] = []
  const nameOf = ({ channel, symbol }: Selector): string => `${channel.name}:${symbol ?? ''}`
  const demand = {
    add: (selector: Selector) => { wanted.push(nameOf(selector)) },
    remove: (selector: Selector) => { wanted.splice(wanted.indexOf(nameOf(selector)), 1) }
  }
  await say('before', { symbol: 'A' })
  const onError = (error: unknown): void => { t.fail(String(error)) }
  const rules = await ListDemand.follow({ log, channels, demand, onError, channel: alertRules, wants: rulesWant })
  t.teardown(async () => {
    rules.close()
    await log.close()
  })
  t.same(wanted.sort(), ['alert_rules:', 'quotes:A'])
  t.equal(rules.items, 1)

  await say('u', { symbol: 'A' }, { symbol: 'A', above: '2' }, { symbol: 'B', of: 'trade' }, { symbol: 'C', expires_at: '2026-01-02T00:00:00Z' }, { symbol: 'D', type: 'close', interval: '1m' })
  t.same(wanted.sort(), ['alert_rules:', 'alert_rules:', 'bars.1m:D', 'quotes:A', 'quotes:A', 'trades:B'])
  t.equal(rules.items, 5)
  const [{ offset } = { offset: 0 }] = await log.head([0])

  await say('u', { symbol: 'B', of: 'trade' })
  t.same(wanted.sort(), ['alert_rules:', 'alert_rules:', 'quotes:A', 'trades:B'])
  await say('u')
  t.same(wanted.sort(), ['alert_rules:', 'quotes:A'])
  await say('v', { symbol: 'E' })
  t.same(wanted.sort(), ['alert_rules:', 'alert_rules:', 'quotes:A', 'quotes:E'])

  log.restart([offset])
  for (const deadline = Date.now() + 20_000; wanted.includes('quotes:E') && Date.now() < deadline;) await delay(2)
  t.same(wanted.sort(), ['alert_rules:', 'alert_rules:', 'quotes:A', 'trades:B'], 'the removal is lost, and what came after it')
})

test('hears of rules while it reads which there are', async t => {
  const channels = standardChannels
  const retention = { messages: 100, seconds: 3600, bytes: 1 << 20 }
  const log = new MemoryLog({ channels, maxTopics: 100, retention })
  const publisher = new Publisher({ log, channels })
  const topics = log.topics.bind(log)
  log.topics = async shard => {
    const found = await topics(shard)
    const times = { version: 1, created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' }
    const data = { rules: [{ rule_id: 'r', type: 'price', symbol: 'A', above: '1', ...times }] }
    await publisher.publishOwn([{ channel: alertRules.name, user: 'u', data }])
    return found
  }
  const demand = { add: () => {}, remove: () => {} }
  const onError = (error: unknown): void => { t.fail(String(error)) }
  const rules = await ListDemand.follow({ log, channels, demand, onError, channel: alertRules, wants: rulesWant })
  t.teardown(async () => {
    rules.close()
    await log.close()
  })
  t.equal(rules.items, 1)
})
