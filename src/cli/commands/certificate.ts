import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { type Command, CommandError, text, UsageError, wholeNumber } from '../command.js'
import { makeCertificate } from '../self-signed.js'

const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '::1']
const DEFAULT_DAYS = 365
/** Apple's systems accept no certificate that is valid for longer. */
const MAX_DAYS = 825
const HOST = /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i

export const certificate: Command = {
  name: 'certificate',
  summary: 'Makes a certificate signed with its own key, to try TLS with.',
  usage: '[host]… [flags]',
  options: {
    out: {
      type: 'string',
      value: 'folder',
      description: 'where to write cert.pem and key.pem (default: this folder)'
    },
    days: {
      type: 'string',
      value: 'n',
      description: `how long it is valid, 1 to ${MAX_DAYS} (default ${DEFAULT_DAYS})`
    },
    keep: { type: 'boolean', description: 'does nothing if both files exist already' }
  },
  examples: [
    'tickwire certificate && TLS_CERT=cert.pem TLS_KEY=key.pem tickwire start',
    'tickwire certificate desk.example.com 10.0.0.5 --out /etc/tickwire'
  ],

  async run ({ values, positionals }) {
    const hosts = positionals.length === 0 ? LOCAL_HOSTS : positionals
    for (const host of hosts) {
      if (isIP(host) === 0 && !HOST.test(host)) {
        throw new UsageError(`'${host}' is neither a host's name nor an address`)
      }
    }
    const days = wholeNumber(values, 'days') ?? DEFAULT_DAYS
    if (days < 1 || days > MAX_DAYS) throw new UsageError(`--days is from 1 to ${MAX_DAYS}, not ${days}`)
    const folder = text(values, 'out') ?? '.'
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    const there = Object.values(files).filter(file => existsSync(file))
    if (values['keep'] === true && there.length === 2) return 0
    if (there.length > 0) {
      const exist = `${there.join(' and ')} ${there.length === 1 ? 'is' : 'are'} there already`
      throw new CommandError(`${exist}: delete that first, or give another folder with --out`)
    }
    const { cert, key } = makeCertificate(hosts[0]!, hosts, days)
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(files.key, key, { mode: 0o600, flag: 'wx' })
      writeFileSync(files.cert, cert, { flag: 'wx' })
    } catch (error) {
      throw new CommandError(`the certificate cannot be written: ${(error as Error).message}`)
    }
    console.log(`${files.cert} and ${files.key}: valid for ${hosts.join(', ')} for ${days} days. ` +
      'Browsers warn of the certificate, because nobody else has signed it.')
    return 0
  }
}
