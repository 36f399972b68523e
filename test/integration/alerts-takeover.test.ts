import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { compareDecimals } from '@tickwire/protocol'
import { test } from 'tap'
import { keptRules } from '../helpers/alert-journal.js'
import { deploy, patiently } from '../helpers/node-processes.js'
import { Choices } from '../helpers/random.js'
import { redisProgram } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { signedToken } from '../helpers/tokens.js'
import { troubleServers } from '../processors/trouble.js'

/** Alert rules on three servers and one Redis, while servers are killed, stopped and ended. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const SYMBOLS = ['A', 'B', 'C', 'D']
const USERS = ['alice', 'bob']
const LEVELS = ['2', '3.5', '5', '6.5', '8']
const SECONDS = 12
const PATIENCE_MS = 60_000
const seed = Number(process.env['SEED'] ?? 47)

interface Rule { readonly id: string, readonly user: string, readonly symbol: string, readonly level: string }

test(`alerts once for each crossing, whatever becomes of servers (SEED=${seed})`, options, async t => {
  const random = new Choices(seed)
  const deployment = await deploy(t, ['a', 'b', 'c'], 'none', [join(ROOT, 'dist/test/processors/node.js')])
  const { nodes, observer: { parts: { log } } } = deployment
  const send = async (
    method: string, path: string, sub: string, body?: object
  ): Promise<Response | undefined> =>
    await fetch(`${random.pick(nodes).origin}${path}`, {
      method,
      ...body === undefined ? {} : { body: JSON.stringify(body) },
      headers: { authorization: `Bearer ${signedToken({ sub, publish: ['*'] })}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(5000)
    }).catch(() => undefined)

  type Made = Record<'rule_id' | 'symbol' | 'above', string>
  const rulesOf = async (user: string): Promise<readonly Made[]> => {
    for (;; await delay(50)) {
      const answer = await send('GET', '/v1/alerts', user)
      if (answer?.status === 200) return (await answer.json() as { rules: readonly Made[] }).rules
    }
  }
  const rules: Rule[] = []
  for (const user of USERS) {
    for (const symbol of SYMBOLS) {
      for (const level of LEVELS) {
        // Whoever gets no answer, or 503, does not know whether the rule is there.
        for (let isThere = false; !isThere;) {
          await send('POST', '/v1/alerts', user, { type: 'price', symbol, above: level })
          isThere = (await rulesOf(user)).some(rule => rule.symbol === symbol && rule.above === level)
        }
      }
    }
    const made = await rulesOf(user)
    for (const { rule_id: id, symbol, above: level } of made) rules.push({ id, user, symbol, level })
  }

  let made = 0
  const publish = async (values: readonly string[]): Promise<void> => {
    const items = values.map(last => {
      const symbol = random.pick(SYMBOLS)
      return { channel: 'quotes', symbol, data: { symbol, last }, idempotency_key: `k${++made}` }
    })
    for (let taken = false; !taken; await delay(10)) {
      const answer = await send('POST', '/v1/publish', 'p', items)
      taken = answer?.status === 200 && (await answer.json() as { rejected: unknown[] }).rejected.length === 0
    }
  }
  const known = async (): Promise<number> => Object.keys(await patiently(() => keptRules(log))).length
  for (const deadline = Date.now() + PATIENCE_MS; await known() < rules.length; await delay(50)) {
    await publish(['0', '0', '0', '0'])
    if (Date.now() > deadline) throw new Error('the rules have not begun')
  }

  const publisher = new AbortController()
  const publishing = (async () => {
    while (!publisher.signal.aborted) {
      await publish(Array.from({ length: random.integer(1, 6) }, () => String(random.integer(0, 100) / 10)))
    }
  })()
  // The one that runs the processor, more often than not.
  const next = async (): Promise<{ node: typeof nodes[number], isHolder: boolean }> => {
    const { leases } = await patiently(() => deployment.observer.parts.nodes.overview())
    const holder = leases.find(({ source }) => source === 'processor:alerts')?.name
    const node = nodes.find(({ name }) => name === holder && random.next() < 0.7) ?? random.pick(nodes)
    return { node, isHolder: node.name === holder }
  }
  const deeds = ['kill', 'kill', 'stop', 'end'] as const
  const happened = await troubleServers({ random, seconds: SECONDS, next, deeds })
  publisher.abort()
  await publishing

  const read = async (topic: string): Promise<ReadonlyArray<Record<string, string>>> =>
    (await patiently(() => log.read(topic, { sequence: 0 }, 1_000_000))).entries
      .map(({ payload }) => JSON.parse(payload) as Record<string, string>)
  /** By rule, the values of the alerts that must have come, by a plain reading of the quotes. */
  const expected = new Map<string, string[]>()
  for (const { id, symbol, level } of rules) {
    const values: string[] = []
    let [isArmed, restsUntil] = [false, 0]
    const { entries } = await patiently(() => log.read(`quotes:${symbol}`, { sequence: 0 }, 1_000_000))
    for (const { payload, timestamp } of entries) {
      const { last } = JSON.parse(payload) as { last: string }
      const isOver = compareDecimals(last, level) >= 0
      if (!isOver && timestamp >= restsUntil) isArmed = true
      if (!isOver || !isArmed) continue
      values.push(last)
      isArmed = false
      restsUntil = timestamp + 1000
    }
    expected.set(id, values)
  }
  const count = [...expected.values()].reduce((sum, { length }) => sum + length, 0)
  const found = new Map<string, string[]>()
  const ids: string[] = []
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(200)) {
    found.clear()
    ids.length = 0
    for (const user of USERS) {
      for (const { alert_id: alertId, rule_id: id, value } of await read(`alerts@${user}`)) {
        if (rules.find(rule => rule.id === id)?.user !== user) throw new Error(`${user} got an alert of the rule ${id}`)
        found.set(id!, [...found.get(id!) ?? [], value!])
        ids.push(alertId!)
      }
    }
    if (ids.length >= count || Date.now() > deadline) break
  }
  t.comment(`${made} quotes, ${count} alerts; ${happened.join(', ')}`)
  t.equal(new Set(ids).size, ids.length, 'no alert came twice')
  for (const { id, symbol, level } of rules) t.same(found.get(id) ?? [], expected.get(id), `${symbol} above ${level}`)
  t.ok(count > 100, `${count} alerts`)
})
