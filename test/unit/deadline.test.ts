import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { request } from 'undici'
import { withDeadline } from '../../src/deadline.js'
import { bytesUsed } from '../helpers/memory.js'

const LATE_MS = 10_000

test('what gets no answer ends in time, whatever is collected as garbage meanwhile', async t => {
  const silent = createServer(() => {})
  await new Promise<void>(resolve => { silent.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    silent.closeAllConnections()
    silent.close()
  })
  const { port } = silent.address() as { port: number }
  const server = new AbortController()
  const collecting = setInterval(() => { void bytesUsed() }, 10)
  t.teardown(() => { clearInterval(collecting) })
  const asked = withDeadline(server.signal, 300, async signal =>
    await request(`http://127.0.0.1:${port}/`, { signal }))
  const tooLate = delay(LATE_MS, 'nothing', { ref: false })
  const seen = await Promise.race([asked.then(() => 'an answer', (error: Error) => error.name), tooLate])
  t.equal(seen, 'DeadlinePassed')
})

test('what is done in time is handed on, and the signal is not aborted afterwards', async t => {
  let own: AbortSignal | undefined
  const result = await withDeadline(new AbortController().signal, 20, async signal => {
    own = signal
    return 7
  })
  t.equal(result, 7)
  await delay(60)
  t.equal(own!.aborted, false)
})

test('it ends with the signal that it is given, for the reason of that', async t => {
  const server = new AbortController()
  const reason = new Error('the server closes')
  const asked = withDeadline(server.signal, LATE_MS, async signal =>
    await delay(LATE_MS, undefined, { signal }))
  server.abort(reason)
  await t.rejects(asked, reason)
  await t.rejects(withDeadline(server.signal, LATE_MS, async () => 1), reason, 'and does not begin after it')
})

test('it does not wait for work that takes no notice', async t => {
  const deaf = withDeadline(new AbortController().signal, 20, async () =>
    await delay(LATE_MS, 0, { ref: false }))
  await t.rejects(deaf, { name: 'DeadlinePassed', message: 'there was no answer within 20 ms' })
})
