import { LogSetupError } from '../../setup-error.js'

/** Forms of `REDIS_URL`: one Redis, Sentinels that know the master, or nodes of a Cluster. */

/** Where a Redis or a Sentinel listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

interface Common {
  readonly tls: boolean
  readonly username?: string | undefined
  readonly password?: string | undefined
}

export interface SentinelAddress extends Common {
  readonly kind: 'sentinel'
  readonly sentinels: readonly Endpoint[]
  readonly sentinelPassword?: string | undefined
  /** The name by which the Sentinels know the master. */
  readonly master: string
  readonly db: number
}

export interface ClusterAddress extends Common {
  readonly kind: 'cluster'
  /** Some nodes of the Cluster; they name the others. */
  readonly nodes: readonly Endpoint[]
}

/** A single Redis. The client library reads the rest of the address. */
export interface SingleAddress {
  readonly kind: 'single'
  readonly url: string
}

export type RedisAddress = SingleAddress | SentinelAddress | ClusterAddress

const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379

const SEVERAL = /^(rediss?)\+(sentinel|cluster):\/\/(?:([^/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/

/** Reads an address. @throws LogSetupError, which does not show the address: it may have a password */
export function parseAddress (url: string): RedisAddress {
  return /^rediss?\+/.test(url) ? parseSeveral(url) : parseSingle(url)
}

/** Returns an address without user, password and options, so that it may be logged. */
export function shownAddress (url: string): string {
  if (url.startsWith('/')) return url.split('?', 1)[0]!
  const several = SEVERAL.exec(url)
  if (several === null) {
    const { protocol, host, pathname } = new URL(url)
    return `${protocol}//${host}${pathname}`
  }
  const [, scheme, kind, , hosts, path] = several
  return `${scheme}+${kind}://${hosts}${path === undefined || path === '' ? '' : `/${path}`}`
}

export const shownEndpoint = ({ host, port }: Endpoint): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** @param what what to do: it shows nothing of the address */
const unreadable = (what: string): LogSetupError =>
  new LogSetupError(`REDIS_URL is no address that can be read: ${what}`)

const ESCAPES = 'with %40 for @, %2F for / and so on in the password'

function parseSingle (url: string): SingleAddress {
  if (url.startsWith('/')) return { kind: 'single', url }
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.hostname === '') {
    throw unreadable(`give redis://[[user]:password@]host:6379, ${ESCAPES}`)
  }
  // What follows the host may be the rest of a password with a /, so the error does not show it.
  if (!/^(\/\d*)?$/.test(parsed.pathname) || parsed.hash !== '') {
    throw unreadable(
      'behind the host may stand the number of a database and nothing else; ' +
      'in a password write %2F for / and %23 for #'
    )
  }
  return { kind: 'single', url }
}

function parseSeveral (url: string): SentinelAddress | ClusterAddress {
  const parts = SEVERAL.exec(url)
  const form = url.includes('+sentinel:')
    ? `give redis+sentinel://[[user]:password@]host:26379,host:26379/master, ${ESCAPES}`
    : `give redis+cluster://[[user]:password@]host:6379,host:6379, ${ESCAPES}`
  if (parts === null) throw unreadable(form)
  const [, scheme, kind, identity, hosts, path = '', query = ''] = parts
  const common = { tls: scheme === 'rediss', ...parseIdentity(identity, form) }
  const defaultPort = kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT
  const endpoints = hosts!.split(',').map(text => parseEndpoint(text, defaultPort, form))
  const options = new URLSearchParams(query)
  const unknown = [...options.keys()].find(name => kind !== 'sentinel' || name !== 'sentinel_password')
  if (unknown !== undefined) {
    throw unreadable(kind === 'sentinel'
      ? 'behind the ? may stand sentinel_password=… and nothing else'
      : 'the address of a Cluster has no options')
  }
  if (kind === 'cluster') {
    if (/^[1-9]/.test(path)) {
      throw new LogSetupError(
        'REDIS_URL: a Redis Cluster has no databases with numbers; leave out what stands behind its nodes, ' +
        'and choose another REDIS_KEY_PREFIX where two logs share it'
      )
    }
    if (path !== '' && path !== '0') throw unreadable(form)
    return { kind: 'cluster', nodes: endpoints, ...common }
  }
  const [, master, db = '0'] = /^([^/]+)(?:\/(\d*))?$/.exec(path) ?? []
  if (master === undefined) {
    throw unreadable(
      'behind the Sentinels stands the name of the master that they watch: ' +
      'redis+sentinel://host:26379,host:26379/master'
    )
  }
  return {
    kind: 'sentinel',
    sentinels: endpoints,
    master: decode(master, form),
    db: Number(db),
    sentinelPassword: options.get('sentinel_password') ?? undefined,
    ...common
  }
}

function parseIdentity (text: string | undefined, form: string): { username?: string, password?: string } {
  if (text === undefined || text === '') return {}
  const [, username, password] = /^([^:]*)(?::(.*))?$/s.exec(text)!
  return {
    ...(username === '' ? {} : { username: decode(username!, form) }),
    ...(password === undefined || password === '' ? {} : { password: decode(password, form) })
  }
}

function parseEndpoint (text: string, defaultPort: number, form: string): Endpoint {
  const [, host, portText] = HOST.exec(text) ?? []
  const port = Number(portText ?? defaultPort)
  if (host === undefined || port < 1 || port > 65_535) throw unreadable(form)
  return { host: host.replace(/^\[|\]$/g, ''), port }
}

function decode (text: string, form: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unreadable(form)
  }
}
