import { test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { environmentNotices, settingNotices } from '../../src/notices.js'

const noticed = (env: Record<string, string>): string[] => {
  const config = loadConfig(env)
  return [...settingNotices(config), ...environmentNotices(env, config)]
}

test('does not remark on common environments', async t => {
  for (const env of [
    {}, { NODE_ENV: 'production', JWT_SECRET: 's'.repeat(32), HOST: '0.0.0.0' }, { NODE_ENV: 'test' }, { HOST: '0.0.0.0', AUTH: 'required' }, { HOST: '0.0.0.0', AUTH: 'optional' }, { HOST: '::1' },
    { ALLOWED_ORIGINS: 'https://a.example, http://localhost:5173,app://desktop,null' }, { ALLOWED_ORIGINS: '*' },
    {
      PATH: '/bin',
      HOME: '/root',
      HOSTNAME: 'a',
      USER: 'u',
      LANG: 'C',
      PWD: '/',
      SHLVL: '1',
      TERM: 'xterm',
      NODE_OPTIONS: '--x',
      NODE_PATH: '/x',
      NODE_VERSION: '20',
      NODE_EXTRA_CA_CERTS: 'c',
      NODE_HOME: '/n',
      LOGNAME: 'u',
      MAIL: 'm',
      POSTGRES: 'p',
      port: '1',
      http_proxy: 'p',
      NO_PROXY: 'n',
      MAX_WORKERS: '2',
      TICKWIRE_TOKEN: 't',
      TICKWIRE_URL: 'http://a',
      TICKWIRE_SERVICE_HOST: '10.0.0.1',
      TICKWIRE_PORT_8080_TCP: 'tcp://',
      REDIS_PORT: 'tcp://',
      REDIS_SERVICE_PORT: '6379',
      MAX_TOPIC: ''
    }
  ]) {
    t.same(noticed(env as Record<string, string>), [], JSON.stringify(env))
  }
})

test('remarks on what is hardly meant, without its value', async t => {
  const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ NODE_ENV: 'prod' }, /^NODE_ENV="prod" is not production: this server runs as in development$/],
    [{ NODE_ENV: 'Production' }, /^NODE_ENV="Production" is not production/],
    [{ ALLOWED_ORIGINS: 'https://a.example,app.example' }, /^ALLOWED_ORIGINS: no page has the origin "app\.example"; write it with its scheme/],
    [{ ALLOWED_ORIGINS: 'https://a.example/' }, /no page has the origin "https:\/\/a\.example\/".* without a path/],
    [{ HOST: '0.0.0.0' }, /^HOST=0\.0\.0\.0 is open to the network, and everybody there can read/],
    [{ HOST: '::' }, /^HOST=:: is open to the network/],
    [{ JWT_SECRT: 'hunter2' }, /^the environment variable JWT_SECRT is not read; did you mean JWT_SECRET\?$/],
    [{ ALLOWED_ORIGIN: 'https://a.example' }, /ALLOWED_ORIGIN is not read; did you mean ALLOWED_ORIGINS\?/],
    [{ SORUCES: 'none' }, /SORUCES is not read; did you mean SOURCES\?/],
    [{ jwt_secret: 'hunter2' }, /jwt_secret is not read; did you mean JWT_SECRET\?/],
    [{ REDIS_HOST: 'hunter2' }, /REDIS_HOST is not read: there is none of this name/],
    [{ HEARTBEAT_SECONDS: '5' }, /HEARTBEAT_SECONDS is not read/],
    [{ TICKWIRE_PREFIX: '5' }, /TICKWIRE_PREFIX is not read/]
  ]
  for (const [env, words] of cases) {
    const notices = noticed(env)
    t.equal(notices.length, 1, JSON.stringify(env))
    t.match(notices[0], words)
    t.notMatch(notices[0], 'hunter2')
  }
})
