import { test } from 'tap'
import { originPolicy } from '../../src/auth/origin.js'

const HOST = 'stream.example'

const cases: ReadonlyArray<readonly [name: string, list: string, origin: string, host: string | undefined, allowed: boolean]> = [
  ['the same host', '', 'https://stream.example', HOST, true],
  ['the same host behind a proxy that ends TLS', '', 'http://stream.example', HOST, true],
  ['the same host and port', '', 'http://127.0.0.1:8080', '127.0.0.1:8080', true],
  ['the same IPv6 host', '', 'http://[::1]:8080', '[::1]:8080', true],
  ['another port', '', 'http://127.0.0.1:8081', '127.0.0.1:8080', false],
  ['a port more', '', 'https://stream.example:8443', HOST, false],
  ['another host', '', 'https://evil.example', HOST, false],
  ['a host that ends alike', '', 'https://evilstream.example', HOST, false],
  ['a host that begins alike', '', 'https://stream.example.evil', HOST, false],
  ['a subdomain', '', 'https://a.stream.example', HOST, false],
  ['a user name that looks like the host', '', 'https://stream.example@evil.example', HOST, false],
  ['an opaque origin', '', 'null', HOST, false],
  ['a file', '', 'file://', HOST, false],
  ['no origin at all', '', '', HOST, false],
  ['nonsense', '', '//\0', HOST, false],
  ['an opaque origin, where the request names no host', '', 'null', undefined, false],
  ['nonsense, where the request names no host', '', 'nonsense', undefined, false],
  ['an origin, where the request names no host', '', 'https://stream.example', undefined, false],
  ['a file, where the host is empty', '', 'file://', '', false],
  ['an opaque scheme, where the host is empty', '', 'data:text/html,x', '', false],

  ['listed', 'https://app.example', 'https://app.example', HOST, true],
  ['listed among others, with spaces', ' https://a.example , https://app.example ', 'https://app.example', HOST, true],
  ['listed with its port', 'http://localhost:5173', 'http://localhost:5173', HOST, true],
  ['listed, other scheme', 'https://app.example', 'http://app.example', HOST, false],
  ['listed, other port', 'https://app.example', 'https://app.example:8443', HOST, false],
  ['listed, subdomain', 'https://app.example', 'https://x.app.example', HOST, false],
  ['listed, where the request names no host', 'https://app.example', 'https://app.example', undefined, true],
  ['not listed', 'https://app.example', 'https://evil.example', HOST, false],
  ['not listed, but the same host', 'https://app.example', 'https://stream.example', HOST, true],
  ['empty places in the list', ',, ,', '', undefined, false],

  ['all', '*', 'https://anything.example', HOST, true],
  ['all, opaque', '*', 'null', undefined, true],
  ['all, among others', 'https://app.example, *', 'https://anything.example', HOST, true],
  ['a star in a name stands for nothing', 'https://*.example', 'https://app.example', HOST, false]
]

test('which pages may use a person\'s credentials', async t => {
  for (const [name, list, origin, host, allowed] of cases) t.equal(originPolicy(list)(origin, host, false), allowed, name)
})

test('over TLS a page that did not come so is of another origin', async t => {
  const own = originPolicy('')
  t.equal(own('https://stream.example', HOST, true), true)
  t.equal(own('http://stream.example', HOST, true), false)
  t.equal(originPolicy('http://stream.example')('http://stream.example', HOST, true), true, 'unless it is listed')
})
