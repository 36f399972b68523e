import { alertRules, standardChannels, strategies } from '@tickwire/protocol'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { ListDemand } from '../../src/user-lists/list-demand.js'
import { rulesWant } from '../../src/alerts/rule-wants.js'
import type { Selector } from '../../src/hub/audience/selector.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { StrategyRegistry } from '../../src/strategies/registry.js'
import { strategiesWant } from '../../src/strategies/strategies-want.js'
import { StrategyRecords } from '../../src/strategies/strategy-records.js'

/** What alert rules and strategies demand of sources, as a node hears of them. */

const ofRules = { channel: alertRules, wants: rulesWant }

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
  const rules = await ListDemand.follow({ ...ofRules, log, channels, demand, onError })
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
  const rules = await ListDemand.follow({ ...ofRules, log, channels, demand, onError })
  t.teardown(async () => {
    rules.close()
    await log.close()
  })
  t.equal(rules.items, 1)
})

test('demands what strategies watch while they run, and that something runs them while they are paused', async t => {
  const channels = standardChannels
  const retention = { messages: 100, seconds: 3600, bytes: 1 << 20 }
  const log = new MemoryLog({ channels, shards: 3, maxTopics: 100, retention })
  const publisher = new Publisher({ log, channels })
  const registry = await StrategyRegistry.load([])
  const wanted: string[] = []
  const nameOf = ({ channel, symbol }: Selector): string => `${channel.name}:${symbol ?? ''}`
  const demand = {
    add: (selector: Selector) => { wanted.push(nameOf(selector)) },
    remove: (selector: Selector) => { wanted.splice(wanted.indexOf(nameOf(selector)), 1) }
  }
  const onError = (error: unknown): void => { t.fail(String(error)) }
  const list = await ListDemand.follow({
    log, channels, demand, onError, channel: strategies, wants: strategiesWant(registry)
  })
  t.teardown(async () => {
    list.close()
    await log.close()
  })
  const records = new StrategyRecords(log, publisher)
  const add = async (id: string, symbol: string, interval: string, name = 'breakout'): Promise<void> => {
    const at = '2026-01-01T00:00:00Z'
    await records.add('u', { strategy_id: id, name, symbol, parameters: { lookback: 5, interval }, mode: 'signal', quantity: '1', status: 'running', version: 1, created_at: at, updated_at: at }, 10)
  }
  t.same(wanted, [])
  await add('a', 'A', '1m')
  await add('b', 'A', '5m')
  await add('c', 'C', '1s', 'unknown')
  t.same(wanted.sort(), ['bars.1m:A', 'bars.5m:A', 'quotes:A', 'strategies:'])
  t.equal(list.items, 3)
  await records.ask('u', 'a', 'paused', 0)
  t.same(wanted.sort(), ['bars.5m:A', 'quotes:A', 'strategies:'])
  await records.ask('u', 'b', 'stopped', 0)
  await records.remove('u', 'c')
  t.same(wanted, ['strategies:'])
  t.equal(list.items, 1)
  await t.rejects(records.ask('u', 'b', 'running', 0), { code: 'invalid_message', message: /the strategy is stopped/ })
  await records.remove('u', 'a')
  t.same(wanted, [])
})
