import { test } from 'tap'
import { ADMIN_SECONDS, AdminLinks, LINK_SECONDS } from '../../src/auth/admin-links.js'

/** Makes links, a list of the codes that were shown, and a clock that stands still until `pass` moves it. */
function start (): { links: AdminLinks, shown: string[], pass: (seconds: number) => void } {
  let now = 5000
  const shown: string[] = []
  return {
    links: new AdminLinks(
      code => {
        shown.push(code)
      },
      () => now
    ),
    shown,
    pass: seconds => {
      now += seconds * 1000
    }
  }
}

test('takes a code once', async t => {
  const { links, shown } = start()
  links.offer()
  const user = links.exchange(shown[0]!)
  t.ok(links.knows(user))
  t.throws(() => links.exchange(shown[0]!), { code: 'unauthorized' })
  t.throws(() => links.exchange(''), { code: 'unauthorized' }, 'the empty text is no code')
})

test('takes an unused code until its time is over', async t => {
  const { links, shown, pass } = start()
  links.offer()
  pass(LINK_SECONDS - 1)
  t.ok(links.exchange(shown[0]!))
  links.offer()
  pass(LINK_SECONDS)
  t.throws(() => links.exchange(shown[1]!), { code: 'unauthorized' })
})

test('shows the same code again while it is fresh, and at most once in ten seconds', async t => {
  const { links, shown, pass } = start()
  links.offer()
  pass(9.5)
  t.throws(() => { links.offer() }, { code: 'rate_limited', retryAfterMs: 500 })
  pass(0.5)
  links.offer()
  t.equal(shown[1], shown[0])
  pass(LINK_SECONDS / 2)
  links.offer()
  t.not(shown[2], shown[0], 'a code that would end too soon is replaced')
  t.throws(() => links.exchange(shown[0]!), { code: 'unauthorized' })
  links.exchange(shown[2]!)
  pass(10)
  links.offer()
  t.not(shown[3], shown[2], 'a used code is replaced')
})

test('refuses the right code, too, after ten wrong ones', async t => {
  const { links, shown, pass } = start()
  links.offer()
  for (let tries = 0; tries < 9; tries++) t.throws(() => links.exchange('wrong'), { code: 'unauthorized' })
  t.ok(links.exchange(shown[0]!), 'nine wrong ones do no harm')
  pass(10)
  links.offer()
  for (let tries = 0; tries < 10; tries++) t.throws(() => links.exchange('wrong'), { code: 'unauthorized' })
  t.throws(() => links.exchange(shown[1]!), { code: 'unauthorized' })
  pass(10)
  links.offer()
  t.ok(links.exchange(shown[2]!), 'the next code is taken')
})

test('knows a user until the newest token ends', async t => {
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
