import { test } from 'tap'
import { type Message, openClient, RuleFollower, transportNames, until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'

const MESSAGES = 120
/** Makes one side of a book of about 60 KB. All messages together make 7 MB. */
const levels = (turn: number): Array<[string, string]> =>
  Array.from({ length: 2400 }, (_, index) => [String(100_000 + index), `${turn}.${'0'.repeat(10)}`])
const MIB = 1 << 20

test('answers in parts where there is much: nobody gets everything at once, and nothing is lost', async t => {
  const server = await startServer(t)
  const stream = `${server.origin}/v1/stream?subscribe=book:A`
  const { cursor } = await (await fetch(stream)).json() as { cursor: string }
  for (let turn = 1; turn <= MESSAGES; turn++) {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids: levels(turn), asks: [] })
  }
  const all = Array.from({ length: MESSAGES }, (_, index) => index + 1)

  const newest = await (await fetch(`${stream};last=10000&limit=10000`)).text()
  t.ok(newest.length < 2 * MIB, 'as many of the newest messages as fit')
  const { messages } = JSON.parse(newest) as { messages: Message[] }
  t.ok(
    messages.length > 10 && messages.at(-1)!.snapshot === true && messages.at(-1)!.sequence === MESSAGES,
    'the state follows them'
  )
  t.same(
    messages.slice(0, -1).map(({ sequence }) => sequence),
    all.slice(1 - messages.length),
    'without a gap'
  )

  const polled: number[] = []
  for (let after = cursor, more = true; more;) {
    const text = await (await fetch(`${stream}&limit=10000&after=${after}`)).text()
    t.ok(text.length < 4 * MIB, 'an answer to a poll')
    const answer = JSON.parse(text) as { cursor: string, messages: Message[], more: boolean }
    polled.push(...answer.messages.map(({ sequence }) => sequence!))
    after = answer.cursor
    more = answer.more
  }
  t.same(polled, all)

  const read: number[] = []
  for (let more = true; more;) {
    const text = await (
      await fetch(`${server.origin}/v1/history?topic=book:A&limit=10000&after=${read.at(-1) ?? 0}`)
    ).text()
    t.ok(text.length < 2 * MIB, 'an answer of the history')
    const answer = JSON.parse(text) as { messages: Message[], more: boolean }
    read.push(...answer.messages.map(({ sequence }) => sequence!))
    more = answer.more
  }
  t.same(read, all)
  const last = (await (await fetch(`${server.origin}/v1/history?topic=book:A&limit=10000`)).json()) as {
    messages: Message[]
    more: boolean
  }
  t.equal(last.messages.at(-1)!.sequence, MESSAGES, 'without a sequence, the newest')

  for (const transport of transportNames) {
    const follower = new RuleFollower()
    const client = openClient(transport, server.origin, 'subscribe=book:A', cursor, {
      onMessage: message => {
        follower.take(message)
      },
      onCursor: () => {}
    })
    await until(`${transport}: everything has come`, () => follower.accepted.length === MESSAGES)
    t.same([follower.gaps, follower.resets, follower.duplicates], [[], [], 0], transport)
    client.cut()
  }
})
