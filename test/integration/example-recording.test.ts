import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { blocksOf } from '../helpers/docs.js'
import { counts, difference, expectedLines, receivedLines } from '../helpers/recorded-session.js'
import { ROOT } from '../helpers/root.js'
import { startServer } from '../helpers/server.js'

/** From the page: the setting of the server's source, and the request that starts the replay. */
const [start, go] = blocksOf('docs/command.md', 'Replay a recording', 'sh') as [string, string]
const sources = /SOURCES='(replay:[^']+)'/.exec(start)![1]!
const file = join(ROOT, /^replay:([^?]+)/.exec(sources)![1]!)

test('plays the recording of docs/command.md as the page has it, whole and in order', async t => {
  const expected = expectedLines(file)
  const all = counts(expected)
  for (const kind of ['quote', 'trade', 'snapshot', 'update']) t.ok(all[kind]! > 0, `${kind}: ${all[kind]}`)
  const total = Object.values(all).reduce((sum, count) => sum + count, 0)

  // The replay runs as fast as it can; everything else is as on the page.
  const server = await startServer(t, {
    SOURCES: sources.replace('replay:', `replay:${ROOT}/`).replace('speed=10', 'speed=max'),
    UNKNOWN_SYMBOLS: 'reject'
  })
  const messages: Message[] = []
  let subscribed = 0
  const client = openClient(
    'ws-json',
    server.origin,
    'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*',
    undefined,
    {
      onMessage: message => {
        if (message.type === 'subscribed') subscribed++
        if (message.sequence !== undefined) messages.push(message)
      },
      onCursor: () => {}
    }
  )
  await until('it is subscribed', () => subscribed === 3)
  const { pathname } = new URL(/http:\S+/.exec(go)![0])
  const answer = await fetch(server.origin + pathname, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.token({ admin: true })}` }
  })
  t.equal(answer.status, 204)
  await until('all messages came', () => messages.length >= total)
  t.equal(difference(expected, receivedLines(messages)), undefined)
  client.cut()
})

test('makes a recording of the same messages by the script that made it', async t => {
  const made = join(mkdtempSync(join(tmpdir(), 'tickwire-recording-')), 'made.txt')
  writeFileSync(
    made,
    execFileSync(process.execPath, [join(ROOT, 'examples/recordings/make.js')], { maxBuffer: 1 << 26 })
  )
  t.equal(
    difference(expectedLines(file), expectedLines(made)),
    undefined,
    'if not, make it again, as the head of the script says'
  )
  t.ok(readFileSync(file).length < 400_000, 'it is small')
})
