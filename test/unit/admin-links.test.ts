import { test } from 'tap'
import { ADMIN_SECONDS, AdminLinks, LINK_SECONDS } from '../../src/auth/admin-links.js'

/** Links, the codes that were shown, and a clock that stands still until it is set. */
function start (): { links: AdminLinks, shown: string[], pass: (seconds: number) => void } {
  let now = 5000
  const shown: string[] = []
  return { links: new AdminLinks(code => { shown.push(code) }, () => now), shown, pass: seconds => { now += seconds * 1000 } }
}

test('a code is good until it is used', async t => {
  const { links, shown } = start()
  links.offer()
  const user = links.exchange(shown[0]!)
  t.ok(links.knows(user))
  t.throws(() => links.exchange(shown[0]!), { code: 'unauthorized' })
  t.throws(() => links.exchange(''), { code: 'unauthorized' }, 'without a code there is none that would do')
})

test('a code that nobody used is good for its time, and no longer', async t => {
  const { links, shown, pass } = start()
  links.offer()
  pass(LINK_SECONDS - 1)
  t.ok(links.exchange(shown[0]!))
  links.offer()
  pass(LINK_SECONDS)
  t.throws(() => links.exchange(shown[1]!), { code: 'unauthorized' })
})

test('whoever asks again is shown the code that is there, while it is fresh, and not more often than every ten seconds', async t => {
  const { links, shown, pass } = start()
  links.offer()
  pass(9.5)
  t.throws(() => { links.offer() }, { code: 'rate_limited', retryAfterMs: 500 })
  pass(0.5)
  links.offer()
  t.equal(shown[1], shown[0])
  pass(LINK_SECONDS / 2)
  links.offer()
  t.not(shown[2], shown[0], 'one that would end while it is looked for is replaced')
  t.throws(() => links.exchange(shown[0]!), { code: 'unauthorized' })
  links.exchange(shown[2]!)
  pass(10)
  links.offer()
  t.not(shown[3], shown[2], 'one that was used is replaced')
})

test('after ten wrong ones the right code is not taken either', async t => {
  const { links, shown, pass } = start()
  links.offer()
  for (let tries = 0; tries < 9; tries++) t.throws(() => links.exchange('wrong'), { code: 'unauthorized' })
  t.ok(links.exchange(shown[0]!), 'nine do no harm')
  pass(10)
  links.offer()
  for (let tries = 0; tries < 10; tries++) t.throws(() => links.exchange('wrong'), { code: 'unauthorized' })
  t.throws(() => links.exchange(shown[1]!), { code: 'unauthorized' })
  pass(10)
  links.offer()
  t.ok(links.exchange(shown[2]!), 'the next one is')
})

test('who was known is so until the newest token ends', async t => {
  const { links, shown, pass } = start()
  links.offer()
  const user = links.exchange(shown[0]!)
  pass(ADMIN_SECONDS - 1)
  t.ok(links.knows(user))
  links.renew(user)
  pass(ADMIN_SECONDS - 1)
  t.ok(links.knows(user))
  pass(1)
  t.notOk(links.knows(user))
  t.notOk(links.knows('page-somebody'))
  t.notOk(links.knows(undefined))
})
