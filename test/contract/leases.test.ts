import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { Hold } from '../../src/coordination/leases.js'
import { openCoordinations, coordinationBackends } from './coordinations.js'

/** Longer than any test lasts. */
const LONG_MS = 60_000
/** Short enough to wait for. */
const SHORT_MS = 200

const hold = (node: string, more: Partial<Hold> = {}): Hold => ({
  node,
  note: `of ${node}`,
  forMs: LONG_MS,
  byDefault: true,
  ...more
})

for (const backend of coordinationBackends) {
  const suite = (name: string, body: (t: Test) => Promise<void>): void => {
    void test(`${backend.name}: ${name}`, body)
  }

  suite('gives a lease to one node at a time, until that node releases it', async t => {
    const [{ leases: one }, { leases: other }] = await openCoordinations(t, backend)
    t.same(await one.look('a'), { holder: undefined, note: '', switched: undefined }, 'nobody has it')
    t.match(await one.hold('a', hold('n1')), { holder: 'n1', note: 'of n1', switched: undefined })
    t.match(await other.hold('a', hold('n2')), { holder: 'n1', note: 'of n1' })
    t.match(await other.look('a'), { holder: 'n1', note: 'of n1' })
    t.match(await other.hold('b', hold('n2')), { holder: 'n2' }, 'leases do not affect one another')
    t.match(
      await one.hold('a', hold('n1', { note: 'more' })),
      { holder: 'n1', note: 'more' },
      'the holder keeps it, and may change its note'
    )
    await other.release('a', 'n2', false)
    t.match(await other.look('a'), { holder: 'n1' }, 'only the holder can release it')
    await one.release('a', 'n1', false)
    t.match(await other.hold('a', hold('n2')), { holder: 'n2' })
    await one.release('a', 'n1', true)
    t.match(await one.look('a'), { holder: 'n2', switched: undefined })
  })

  suite('gives a lease to exactly one of many nodes at once', async t => {
    const nodes = await openCoordinations(t, backend)
    for (let round = 0; round < 20; round++) {
      const held = await Promise.all(
        Array.from({ length: 20 }, (_, n) => nodes[n % 2]!.leases.hold(`lease ${round}`, hold(`n${n}`)))
      )
      t.equal(new Set(held.map(({ holder }) => holder)).size, 1)
    }
  })

  suite('ends a lease when its time is over, unless it is held again', async t => {
    const [one, other] = await openCoordinations(t, backend)
    await one.leases.hold('kept', hold('n1', { forMs: SHORT_MS }))
    await one.leases.hold('left', hold('n1', { forMs: SHORT_MS }))
    await one.leases.hold('kept', hold('n1', { forMs: LONG_MS }))
    await delay(2 * SHORT_MS)
    t.match(await other.leases.look('left'), { holder: undefined, note: '' })
    t.match(await other.leases.hold('left', hold('n2')), { holder: 'n2', note: 'of n2' })
    t.match(await other.leases.hold('kept', hold('n2')), { holder: 'n1' })
  })

  suite('follows a switch rather than the default, until the switch is cleared', async t => {
    const [{ leases: one }, { leases: other }] = await openCoordinations(t, backend)
    t.match(await one.hold('manual', hold('n1', { byDefault: false })), {
      holder: undefined,
      switched: undefined
    })
    await other.turn('manual', true)
    t.match(await one.hold('manual', hold('n1', { byDefault: false })), { holder: 'n1', switched: true })
    await other.turn('manual', false)
    t.match(
      await one.hold('manual', hold('n1', { byDefault: false, note: 'not heard' })),
      { holder: 'n1', note: 'of n1', switched: false },
      'the holder still has it, and learns that it is switched off'
    )
    await one.release('manual', 'n1', false)
    t.match(
      await other.hold('manual', hold('n2')),
      { holder: undefined, switched: false },
      'the default does not count once it was switched'
    )
    await one.turn('manual', undefined)
    t.match(await other.hold('manual', hold('n2')), { holder: 'n2', switched: undefined })
    await other.release('manual', 'n2', true)
    t.match(
      await one.hold('manual', hold('n1')),
      { holder: undefined, switched: false },
      'a holder that is done switches it off'
    )
  })

  suite('takes any text as the name of a lease', async t => {
    const [one, other] = await openCoordinations(t, backend)
    const names = ['', ' ', '{a}b', '}', '{', 'a:b', 'a\nb', '*', '한글', 'x'.repeat(1000)]
    for (const name of names) {
      await one.leases.hold(name, hold(`n ${name}`, { note: '{"a":[1]}\n' }))
      await one.leases.turn(name, true)
    }
    for (const name of names) {
      t.same(
        await other.leases.look(name),
        { ...(await one.leases.look(name)), holder: `n ${name}`, note: '{"a":[1]}\n', switched: true },
        JSON.stringify(name)
      )
    }
  })

  suite('lists a node with what it said last, until it leaves or its time is over', async t => {
    const [{ registry: one }, { registry: other }] = await openCoordinations(t, backend)
    t.same([...await one.nodes()], [])
    await one.register('n1', '{"a": 1}', LONG_MS)
    await other.register('n2', 'one\ntwo  three', SHORT_MS)
    t.same(new Map(await one.nodes()), new Map([['n1', '{"a": 1}'], ['n2', 'one\ntwo  three']]))
    await one.register('n1', '', LONG_MS)
    await delay(2 * SHORT_MS)
    t.same([...await other.nodes()], [['n1', '']])
    await other.register('n2', 'back', LONG_MS)
    await other.unregister('n1')
    await other.unregister('n3')
    t.same([...await one.nodes()], [['n2', 'back']])
  })
}
