import { t as all, test } from 'tap'
import { chaosClients, plainDriver } from './clients.js'
import { transports, type Transport } from './events.js'
import type { Broken } from './plain/broken.js'
import { type Duty, refusals, refusalsOver } from './refusals/refusals.js'
import { runRefusal } from './refusals/run.js'

/** By hand, `npm run chaos -- --refusals` lets each of them refuse for ten minutes. */
const SECONDS = 4
const AT_ONCE = 4
all.jobs = AT_ONCE

const ways: ReadonlyArray<readonly Transport[]> = [...transports.map(transport => [transport]), transports]

const DUTIES: Readonly<Record<Duty, string>> = {
  'wait longer': 'makes no storm of attempts',
  'wait as told': 'comes back when it is told to, and no earlier',
  renew: 'tries with one new token, then stops',
  stop: 'stops at once'
}

for (const { name, command } of chaosClients.filter(({ isHeavy }) => isHeavy !== true)) {
  for (const refusal of refusals) {
    test(`the client ${name} ${DUTIES[refusal.duty]}: ${refusal.name}`, {
      buffered: true, timeout: 280_000
    }, async t => {
      await Promise.all(ways.filter(way => refusalsOver(way).includes(refusal)).map(async way => {
        const options = { command, refusal, transports: way, seconds: SECONDS }
        const { attempts, failures } = await runRefusal(options)
        t.same(failures, [], `over ${way.join(', ')}: ${attempts} attempts`)
      }))
    })
  }
}

const broken: ReadonlyArray<readonly [Broken, Duty, RegExp]> = [
  ['hurry', 'wait longer', /^it came \d+ times within/],
  ['early', 'wait as told', /before retry_after_ms was over$/],
  ['insist', 'renew', /^it came 3 times, and should have stopped after 2$/],
  ['insist', 'stop', /^it came 2 times, and should have stopped after 1$/]
]

for (const [way, duty, found] of broken) {
  test(`finds a client that does not do so: ${way}, where it should ${duty}`, {
    buffered: true, timeout: 280_000
  }, async t => {
    const refusal = refusals.find(({ duty: wanted, on }) => wanted === duty && on === undefined)!
    const { failures } = await runRefusal({
      command: plainDriver(way), refusal, transports: ['websocket'], seconds: SECONDS
    })
    t.match(failures[0], found)
  })
}
