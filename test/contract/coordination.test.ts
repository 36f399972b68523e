import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { openCoordinations, coordinationBackends } from './coordinations.js'

/** A window in which each test finishes all its calls to both nodes. */
const LONG_MS = 60_000
const SHORT_MS = 100

/** Keys that a caller may use: no backend may read a meaning into any of them. */
const ODD_KEYS = ['', ' ', 'a b', '{a}b', '}', '{', 'a:b', 'a\nb', '*', '한글 🎟', 'x'.repeat(1000)]

for (const backend of coordinationBackends) {
  const suite = (name: string, body: (t: Test) => Promise<void>): void => {
    void test(`${backend.name}: ${name}`, body)
  }

  suite('gives a text to the first taker only, on whichever node', async t => {
    const [one, other] = await openCoordinations(t, backend)
    t.equal(await one.take('never'), undefined)
    await one.put('a', 'first', 60)
    await one.put('b', 'second', 60)
    t.equal(await other.take('a'), 'first')
    t.equal(await other.take('a'), undefined)
    t.equal(await one.take('a'), undefined)
    t.equal(await one.take('b'), 'second')
    await one.put('a', 'again', 60)
    await other.put('a', 'instead', 60)
    t.equal(await one.take('a'), 'instead', 'taking finds the text that was put last')
    t.equal(await other.take('a'), undefined)
  })

  suite('leaves a text where it is when a node looks at it, until it is taken or expires', async t => {
    const [one, other] = await openCoordinations(t, backend)
    t.equal(await one.look('never'), undefined)
    await one.put('a', 'text', 60)
    for (const node of [one, other, one]) t.equal(await node.look('a'), 'text')
    t.equal(await other.take('a'), 'text')
    for (const node of [one, other]) t.equal(await node.look('a'), undefined)
    await one.put('short', 'text', SHORT_MS / 1000)
    await delay(2 * SHORT_MS)
    t.equal(await one.look('short'), undefined)
  })

  suite('gives a text to exactly one of many takers at once', async t => {
    const nodes = await openCoordinations(t, backend)
    for (let round = 0; round < 20; round++) {
      await nodes[0].put('ticket', `text ${round}`, 60)
      const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => nodes[n % 2]!.take('ticket')))
      t.same(taken.filter(text => text !== undefined), [`text ${round}`])
    }
  })

  suite('drops a text when its time is over', async t => {
    const [one, other] = await openCoordinations(t, backend)
    await one.put('short', 'text', SHORT_MS / 1000)
    await one.put('long', 'text', 60)
    await delay(2 * SHORT_MS)
    t.equal(await other.take('short'), undefined)
    t.equal(await other.take('long'), 'text')
  })

  suite('counts over all nodes, and gives each count exactly once', async t => {
    const nodes = await openCoordinations(t, backend)
    const counted = await Promise.all(
      Array.from({ length: 200 }, (_, n) => nodes[n % 2]!.count('key', LONG_MS))
    )
    t.same(
      counted.map(({ count }) => count).sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, n) => n + 1)
    )
    for (const { endsInMs } of counted) t.ok(endsInMs > 0 && endsInMs <= LONG_MS, String(endsInMs))
    t.equal((await nodes[0].count('other key', LONG_MS)).count, 1)
  })

  suite('counts from 1 again in each window, and counting does not prolong a window', async t => {
    const [one, other] = await openCoordinations(t, backend)
    let windows = 0
    let counted = 0
    let before = 0
    const began = Date.now()
    while (windows < 3) {
      const { count, endsInMs } = await (counted++ % 2 === 0 ? one : other).count('key', SHORT_MS)
      t.ok(endsInMs >= 0 && endsInMs <= SHORT_MS, String(endsInMs))
      if (count === 1) windows++
      else t.equal(count, before + 1)
      before = count
      await delay(10)
    }
    t.ok(Date.now() - began >= 2 * SHORT_MS - 10, 'no window is shorter than asked for')
  })

  suite('takes any text as a key, and keeps texts and counts of the same key apart', async t => {
    const [one, other] = await openCoordinations(t, backend)
    for (const key of ODD_KEYS) {
      t.equal((await one.count(key, LONG_MS)).count, 1, JSON.stringify(key))
      await one.put(key, `of ${key}`, 60)
    }
    for (const key of ODD_KEYS) {
      t.equal((await other.count(key, LONG_MS)).count, 2, JSON.stringify(key))
      t.equal(await other.take(key), `of ${key}`)
    }
  })

  suite('collects the answers of all who answer a question, until they stop', async t => {
    const [one, other] = await openCoordinations(t, backend)
    const patience = 20_000
    t.same(await one.ask('anybody?', patience), [], 'if nobody answers, the asker learns it at once')
    const heard: string[] = []
    const end = one.answer(question => { heard.push(question); return `one: ${question}` })
    other.answer(question => `other: ${question}`)
    t.same([...await one.ask('{"kind":"a"}', patience)].sort(), ['one: {"kind":"a"}', 'other: {"kind":"a"}'])
    t.same([...await other.ask('b', patience)].sort(), ['one: b', 'other: b'])
    t.same(heard, ['{"kind":"a"}', 'b'], 'each question is heard once')
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : other).ask(`${n}`, patience))
    )
    t.same(
      many.map(answers => [...answers].sort()),
      Array.from({ length: 50 }, (_, n) => [`one: ${n}`, `other: ${n}`]),
      'each answer goes to its own question'
    )
    end()
    t.same(await one.ask('c', patience), ['other: c'])
  })
}
