import { test } from 'tap'
import { runSmallClient } from './conformance.js'
import type { Fault } from './small-rule.js'

/** How long a step waits for a client that may never do what the step waits for. */
const PATIENCE_SECONDS = '15'

/** For each fault a scenario that finds it, over which transport, and what it says. */
const found: ReadonlyArray<readonly [fault: Fault, scenario: string, transport: string, why: RegExp]> = [
  ['ignores-resets', 'resets/history_lost', 'websocket', /it does not give reset trades:A history_lost/],
  ['gives-duplicates', 'cuts/drops-what-comes-again', 'event-stream', /it gives trades:A 2 .* and not trades:A 4/],
  ['forgets-its-cursor', 'cuts/resumes-from-its-cursor', 'websocket', /asks for trades:A without a position, and not after "c1"/],
  ['ignores-epochs', 'epochs/rolls-back-a-history', 'event-stream', /it gives trades:A 3 .* and not reset trades:A to=1/],
  ['ignores-epochs', 'epochs/rolls-back-a-state', 'websocket', /it does not ask for quotes:A/],
  ['covers-too-early', 'cursors/before-subscribed-do-not-cover', 'websocket', /asks for trades:B after "c2", and not without/],
  ['takes-half-a-cursor', 'event-stream/unfinished-cursor', 'event-stream', /asks for trades:A after "c9", and not after "c1"/],
  ['never-stops', 'refusals/bad_request', 'event-stream', /it comes again after bad_request/],
  ['never-stops', 'close-codes/4403', 'websocket', /it comes again after forbidden/],
  ['asks-for-what-it-dropped', 'unsubscribe/is-not-asked-for-again', 'websocket', /asks for quotes:B, which it must not have/],
  ['applies-gaps', 'rule/gap-is-repaired', 'polling', /asks for trades:A after "c2", and not after "c1"/],
  ['hammers', 'refusals/backs-off', 'polling', /it tries \d+ times/],
  ['is-impatient', 'refusals/overloaded', 'polling', /it comes back \d+ ms before retry_after_ms is over/],
  ['never-renews', 'tokens/renews-when-it-expires', 'event-stream', /it has stopped with unauthorized, and does not come for orders/]
]

/** A fault that is found at once leaves the machine to the others. */
const AT_ONCE = 4

test('a fault of a client is found by the scenario that is made for it', { jobs: AT_ONCE }, async t => {
  for (const [fault, scenario, transport, why] of found) {
    t.test(`${fault}: ${scenario}`, { buffered: true }, async t => {
      const flags = ['--only', scenario, '--transport', transport, '--patience', PATIENCE_SECONDS]
      const { code, outcomes } = await runSmallClient(flags, fault)
      t.equal(code, 1)
      t.same(outcomes.map(({ ok }) => ok), [false])
      t.match(outcomes[0]?.why, why)
      t.match(outcomes[0]?.why, /the client must .* \((PROTOCOL|docs\/clients\/conformance)\.md, .+\)/, 'it names the clause')
    })
  }
})

test('a client that leaves its transport at a passing refusal is found', async t => {
  const { outcomes } = await runSmallClient(['--only', 'fallback/not-while-overloaded'],
    'falls-back-at-refusals')
  t.match(outcomes, [{ ok: false, why: /it comes over event-stream, and not over websocket/ }])
})
