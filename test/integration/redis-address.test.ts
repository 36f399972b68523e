import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { test } from 'tap'
import { listen } from '../helpers/network.js'
import { redisProgram } from '../helpers/redis-server.js'
import { BOTH, refused, SECRET } from '../helpers/refused.js'

/** What a server says at its start of an address that leads to no Redis. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

test('refuses to start at an address without a Redis', options, async t => {
  const at = (port: number): string => `redis://user:${SECRET}@127.0.0.1:${port}`
  await refused(
    t,
    'malformed',
    { REDIS_URL: `redis://:${SECRET}@localhost:99999` },
    /REDIS_URL is no address that can be read: give redis:\/\//
  )
  for (const url of [`http://:${SECRET}@localhost:6379`, `localhost:6379?password=${SECRET}`]) {
    await refused(
      t,
      'another scheme',
      { REDIS_URL: url },
      /REDIS_URL=… cannot be used: redis:\/\/host:6379, .* or the path of a socket/
    )
  }
  const closed = createServer()
  const port = await listen(t, closed)
  await new Promise(resolve => { closed.close(resolve) })
  await refused(t, 'nobody listens', { REDIS_URL: at(port) }, /no Redis listens there; start one/, BOTH)
  await refused(
    t,
    'no such host',
    { REDIS_URL: `redis://:${SECRET}@no-such-host.invalid:6379` },
    /its host name/
  )
  const http = createHttpServer((_, response) => { response.end('hello') })
  await refused(t, 'an HTTP server', { REDIS_URL: at(await listen(t, http)) }, /is no Redis, or demands TLS/)
  await refused(
    t,
    'it never answers',
    {
      REDIS_URL: at(
        await listen(
          t,
          createServer(() => {})
        )
      )
    },
    /does not answer/
  )
})
