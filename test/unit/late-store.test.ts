import { test } from 'tap'
import { LateStore } from '../../src/store/late-store.js'
import type { Store } from '../../src/store/store.js'
import type { Row } from '../../src/store/tables.js'
import { until } from '../helpers/clients.js'

/** The store of a server that has kept nothing yet. */

const row = (topic: string, sequence: number): Row<'states'> =>
  ({ topic, channel: 'c', symbol: topic, user_id: null, data: '{}', epoch: 1, sequence, timestamp: 1 })

function fakeStore (): { readonly store: Store, readonly rows: string[] } {
  const rows: string[] = []
  const store = {
    write (_table: string, { topic, sequence }: Row<'states'>) { rows.push(`${topic} ${sequence}`) },
    async close () { rows.push('closed') }
  }
  return { store: store as unknown as Store, rows }
}

test('opens the store at the first row, and gives it what came meanwhile: of each topic the newest', async t => {
  const { store, rows } = fakeStore()
  let opens = 0
  let give = (_store: Store): void => {}
  const late = new LateStore(() => { opens++; return new Promise(resolve => { give = resolve }) }, () => {})
  t.equal(opens, 0)
  late.write('states', row('A', 1))
  late.write('states', row('B', 1))
  late.write('states', row('A', 2))
  t.equal(opens, 1)
  give(store)
  await until('they are there', () => rows.length === 2)
  late.write('states', row('B', 2))
  await late.close()
  t.same(rows, ['A 2', 'B 1', 'B 2', 'closed'])
})

test('tries again where the store cannot be opened, says so, and loses nothing of what waits', async t => {
  const { store, rows } = fakeStore()
  const lines: unknown[] = []
  let opens = 0
  const open = async (): Promise<Store> => {
    if (++opens < 3) throw new Error('it is away')
    return store
  }
  const late = new LateStore(open, (level, fields) => { lines.push({ level, ...fields }) }, { retryMs: 1 })
  late.write('states', row('A', 1))
  await until('they are there', () => rows.length === 1)
  t.same(lines, Array.from({ length: 2 }, () => ({ level: 'error', event: 'store', error: 'it is away', waiting: 1 })))
  await late.close()
  t.same(rows, ['A 1', 'closed'])
})

test('a store that was never needed is never opened', async t => {
  const late = new LateStore(async () => { throw new Error('opened') }, () => { t.fail('a line') })
  await late.close()
  t.end()
})
