import { test } from 'tap'
import { originPolicy } from '../../src/auth/origin.js'

const HOST = 'stream.example'

const cases: ReadonlyArray<
  readonly [name: string, list: string, origin: string, host: string | undefined, allowed: boolean]
> = [
  ['the default port of https in Host', '', 'https://stream.example', 'stream.example:443', true],
  ['the default port of http in Host', '', 'http://stream.example', 'stream.example:80', true],
  ['the default port in Origin', '', 'https://stream.example:443', HOST, true],
  ['the default port in both', '', 'https://stream.example:443', 'stream.example:443', true],
  ['the default port of the other scheme', '', 'https://stream.example', 'stream.example:80', false],
  ['the default port of the other scheme, for http', '', 'http://stream.example', 'stream.example:443', false],
  ['another port than the default', '', 'https://stream.example', 'stream.example:8443', false],
  ['wss, as programs write', '', 'wss://stream.example', HOST, true],
  ['wss with the default port in Host', '', 'wss://stream.example', 'stream.example:443', true],
  ['wss with its port', '', 'wss://stream.example:8443', 'stream.example:8443', true],
  ['ws, as programs write', '', 'ws://127.0.0.1:8080', '127.0.0.1:8080', true],
  ['ws with the default port in Host', '', 'ws://stream.example', 'stream.example:80', true],
  ['wss of another host', '', 'wss://evil.example', HOST, false],
  ['wss with the port of ws', '', 'wss://stream.example', 'stream.example:80', false],
  ['a host in capitals', '', 'https://stream.example', 'Stream.EXAMPLE', true],
  ['an IPv6 host with a default port', '', 'https://[::1]', '[::1]:443', true],
  ['another scheme with the same host', '', 'ftp://stream.example', HOST, false],
  ['a Host with a user in it', '', 'https://stream.example', 'evil@stream.example', false],
  ['a Host with a path behind it', '', 'https://stream.example', 'stream.example/x', false],
  ['a Host with a query behind it', '', 'https://stream.example', 'stream.example?x', false],
  ['a port that is none', '', 'https://stream.example', 'stream.example:x', false],

  ['listed with a default port', 'https://app.example:443', 'https://app.example', HOST, true],
  ['listed in capitals, with a slash', 'HTTPS://App.Example/', 'https://app.example', HOST, true],
  ['listed, and named by a program', 'https://app.example', 'wss://app.example', HOST, true],
  ['an opaque origin that is listed', 'null', 'null', HOST, true],
  ['a scheme of its own that is listed', 'capacitor://localhost', 'capacitor://localhost', HOST, true],
  ['a scheme of its own that is not', 'capacitor://localhost', 'capacitor://other', HOST, false],
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

test("lets only these pages use a person's credentials", async t => {
  for (const [name, list, origin, host, allowed] of cases) {
    t.equal(originPolicy(list)(origin, host, undefined), allowed, name)
  }
})

test('takes a page that did not come over TLS as another origin when the request did', async t => {
  const own = originPolicy('')
  t.equal(own('https://stream.example', HOST, 'https'), true)
  t.equal(own('http://stream.example', HOST, 'https'), false)
  t.equal(
    originPolicy('http://stream.example')('http://stream.example', HOST, 'https'),
    true,
    'unless it is listed'
  )
})

test('demands the scheme of the request from the origin where it is known', async t => {
  const own = originPolicy('')
  for (const [origin, host, scheme, allowed] of [
    ['wss://stream.example', HOST, 'https', true],
    ['ws://stream.example', HOST, 'https', false],
    ['https://stream.example', 'stream.example:443', 'https', true],
    ['https://stream.example:80', 'stream.example:80', 'https', true],
    ['http://stream.example', 'stream.example:443', 'https', false],
    ['http://stream.example', HOST, 'http', true],
    ['ws://stream.example', 'stream.example:80', 'http', true],
    ['https://stream.example', HOST, 'http', false],
    ['https://stream.example', 'stream.example:443', 'http', false]
  ] as const) t.equal(own(origin, host, scheme), allowed, `${origin} at ${host} by ${scheme}`)
})
