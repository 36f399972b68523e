import { test } from 'tap'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { redisProgram } from '../helpers/redis-server.js'
import { BOTH, realRedis, refused, SECRET } from '../helpers/refused.js'

/** What a server says at its start of a Redis user that may not do what log and coordination need. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

/** The rights that the message recommends. */
const ENOUGH = [
  '~{tw:*',
  '&{tw:*',
  '+@read',
  '+@write',
  '+@scripting',
  '+@pubsub',
  '+@connection',
  '+info',
  '+time'
]

test('refuses a user of Redis with too few rights, names them, and works with those that it recommends', options, async t => {
  const { control, port } = await realRedis(t)
  const allow = async (...rules: string[]): Promise<void> => {
    await control.call('ACL', 'SETUSER', 'tickwire', 'reset', 'on', `>${SECRET}`, ...rules)
  }
  const env = { REDIS_URL: `redis://tickwire:${SECRET}@127.0.0.1:${port}` }
  const RIGHTS = '\\+@read \\+@write \\+@scripting \\+@pubsub \\+@connection \\+info \\+time'
  const told = (what: string): RegExp =>
    new RegExp(`REDIS_URL: .*may not run ${what}.*ACL SETUSER.*${RIGHTS}$`, 'm')
  await allow('~*', '&*', '+@all', '-info')
  await refused(t, 'INFO', env, told('INFO'), BOTH)
  for (const command of ['SPUBLISH', 'EVALSHA', 'XADD', 'TYPE', 'GETDEL']) {
    await allow('~*', '&*', '+@all', `-${command}`)
    await refused(t, command, env, told(command))
  }
  await allow('~*', '&*', '+@all', '-@scripting')
  await refused(t, 'scripts', env, told('EVAL'))
  await allow('~*', '&*', '+@all', '-@write')
  const many = '\\w+, \\w+, \\w+, \\w+ and \\d+ more commands'
  await refused(t, 'writes', env, told(`${many} on the keys and channels that begin with {tw:`))
  await allow('~{other:*', '&*', '+@all')
  await refused(t, 'keys', env, told('.*on the keys and channels that begin with {tw:'))
  await allow('~*', '&{other:*', '+@all')
  await refused(
    t,
    'channels',
    env,
    told('SSUBSCRIBE, SPUBLISH on the keys and channels that begin with {tw:')
  )

  await allow(...ENOUGH)
  const { code, out } = await runCommand(['check-config'], env)
  t.equal(code, 0, 'the recommended rights are enough')
  t.notMatch(out, SECRET)
  const { child, lines, errors, finished } = startCommand(['start'], {
    ...env, PORT: '0', SOURCES: 'none', UNKNOWN_SYMBOLS: 'accept', JWT_SECRET: 'x'
  })
  t.teardown(() => { child.kill('SIGKILL') })
  await until('the server listens', () => lines.some(line => line.includes('listens on')))
  const origin = /http:\S+/.exec(lines.find(line => line.includes('listens on'))!)![0]
  const { out: token } = await runCommand(['token', '--sub', 'a', '--publish', '*'], { JWT_SECRET: 'x' })
  const published = await fetch(`${origin}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' },
    body: '{"channel":"quotes","symbol":"A","data":{"symbol":"A","bid":"1"}}'
  })
  t.equal(published.status, 200, 'enough to publish')
  t.equal((await fetch(`${origin}/v1/snapshot?topic=quotes:A`)).status, 200, 'enough to read')

  // The password changes while the server runs, which then reports errors again and again, but without the
  // old password.
  await control.call('ACL', 'SETUSER', 'tickwire', 'resetpass', '>another')
  await control.call('CLIENT', 'KILL', 'USER', 'tickwire')
  await until('the server reports it', () => /the log cannot be followed/.test(lines.join('\n')))
  child.kill('SIGTERM')
  await finished
  t.notMatch([...lines, ...errors].join('\n'), SECRET, 'no password in the log of the server')
})
