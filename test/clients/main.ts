import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { columns } from '../fleet/columns.js'
import { runProgram, text } from '../fleet/program.js'
import { RedisServer } from '../helpers/redis-server.js'
import { languages, type ThirdPartyClient, thirdPartyClients } from './clients.js'
import { exitCode, prepareContests } from './contests.js'
import { type NotRun, table } from './report.js'
import { type Contest, run, type RunOptions } from './run.js'
import { versionOf } from './toolchains.js'

/** `npm run clients`: see USAGE. */
const USAGE = `usage: npm run clients -- [--client name]… [--language ${languages.join('|')}]… [--seconds 5]
                          [--quiet 12] [--rate 50] [--cache folder] [--list]

Third-party clients follow some topics of a server on a Redis of its own: through a network that breaks, a
disconnect by an operator, silence, and a restart of the server. What each was given is judged by the client's
rule of PROTOCOL.md: no gap, no reset, nothing lost, nothing changed.

  --client, --language   only these; repeatable
  --seconds              how long all runs undisturbed before each disturbance (default 5)
  --quiet                seconds without a message (default 12): who ends its connection meanwhile is shown
  --rate                 messages a second (default 50)
  --cache                where packages are installed (default ${join(tmpdir(), 'tickwire-clients-<user>')})
  --list                 lists the clients, and runs none

It installs from npm, PyPI, the Go modules and Maven Central what is not in the cache yet. Clients whose
language is not there are not run, and it says so. The exit code is 0 if all that were asked for ran and hold,
1 if one fails, 3 if the others hold and some were not run.`

const SHOWN_FAULTS = 5

const say = (line: string): void => { console.error(line) }

const many = { type: 'string', multiple: true, default: [] as string[] } as const
const NUMBER = /^\d{1,5}(\.\d+)?$/

await runProgram({
  usage: USAGE,
  options: {
    client: many,
    language: many,
    seconds: text(5),
    quiet: text(12),
    rate: text(50),
    list: { type: 'boolean', default: false },
    cache: text(join(tmpdir(), `tickwire-clients-${process.getuid?.() ?? 0}`))
  },
  numbers: [],
  async run ({ client: names, language, seconds, quiet, rate, list, cache }) {
    const unknown = [
      ...names.filter(name => !thirdPartyClients.some(client => client.name === name)),
      ...language.filter(name => !languages.some(known => known === name))
    ]
    if (unknown.length > 0) console.log(`unknown: ${unknown.join(', ')}; --list shows which there are\n`)
    if (unknown.length > 0 || ![seconds, quiet, rate].every(value => NUMBER.test(value))) return 'usage'
    const byName = thirdPartyClients.filter(({ name }) => names.length === 0 || names.includes(name))
    const chosen = byName.filter(client => language.length === 0 || language.includes(client.language))
    if (list) {
      for (const line of listed(chosen)) console.log(line)
      return 0
    }
    if (chosen.length === 0) {
      console.log('no client is both of these names and of these languages; --list shows which there are')
      return 2
    }
    const { contests, notRun } = await prepareContests(chosen, resolve(cache), say)
    const times = { calmMs: Number(seconds) * 1000, quietMs: Number(quiet) * 1000, rate: Number(rate) }
    const failed = await contest(contests, notRun, times)
    for (const reason of new Set(notRun.map(({ reason }) => reason))) {
      const names = notRun.filter(each => each.reason === reason).map(({ client }) => client.name)
      console.log(`NOT RUN ${names.join(', ')}: ${reason}`)
    }
    console.log(`${contests.length - failed} hold, ${failed} failed, ${notRun.length} not run`)
    return exitCode(contests.length, failed, notRun.length)
  }
})

function listed (clients: readonly ThirdPartyClient[]): string[] {
  return columns(clients.map(client => (
    [client.language, client.name, client.library ?? '', versionOf(client), client.wire]
  )), () => true)
}

/** @returns how many failed */
async function contest (
  contests: readonly Contest[], notRun: readonly NotRun[],
  times: Pick<RunOptions, 'calmMs' | 'quietMs' | 'rate'>
): Promise<number> {
  if (contests.length === 0) return 0
  const redis = await RedisServer.start()
  try {
    const results = await run({ redisUrl: redis.url, contests, say, ...times })
    for (const line of table(results, notRun)) console.log(line)
    for (const { client: { language, name }, ownBreaks } of results) {
      if (ownBreaks.length > 0) console.log(`NOTE ${language} ${name} broke off when quiet: ${ownBreaks[0]}`)
    }
    const failed = results.filter(({ faults }) => faults.length > 0)
    for (const { client, faults, errors } of failed) {
      const shown = faults.slice(0, SHOWN_FAULTS)
      for (const fault of shown) console.log(`FAILED ${client.language} ${client.name}: ${fault}`)
      if (errors !== '') say(`what ${client.name} wrote on stderr last:\n${errors}`)
    }
    return failed.length
  } finally {
    await redis.close()
  }
}
