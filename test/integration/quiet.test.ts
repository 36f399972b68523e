import { queryObjects } from 'node:v8'
import { test } from 'tap'
import { passedOn, publish, startServer } from '../helpers/server.js'

const promises = (): number => queryObjects(Promise, { format: 'count' })

const READERS = 300
/** Promises of the fetches and of timers, which come and go by themselves. */
const OTHERS = 100

test('leaves nothing behind of clients that come and go while no message comes', async t => {
  const server = await startServer(t)
  await publish(server.app, 'quotes', 'S1', { symbol: 'S1', bid: '1' })
  await passedOn(server)
  const read = async (): Promise<unknown> =>
    await (await fetch(`${server.origin}/v1/stream?subscribe=quotes:S1`)).json()
  t.match(await read(), { messages: [{ sequence: 1, snapshot: true }] }, 'a reader gets the state')
  const before = promises()
  for (let reader = 0; reader < READERS; reader++) await read()
  const left = promises() - before
  t.ok(left < OTHERS, `${left} promises more than before ${READERS} readers`)
})
