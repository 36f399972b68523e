import { readFileSync } from 'node:fs'
import { type ErrorCode, errorTable } from '@tickwire/protocol'
import { CommandError, type Invocation, type Option, text, UsageError } from './command.js'

/** The flags of commands that talk to a server, and how they find it and explain its errors. */
const DEFAULT_URL = 'http://127.0.0.1:8080'

export const serverOptions: Readonly<Record<string, Option>> = {
  url: {
    type: 'string',
    value: 'url',
    description: `the server, with its prefix if it has one (default ${DEFAULT_URL})`
  },
  'token-file': {
    type: 'string',
    value: 'file',
    description: 'a file with the token (default: the environment variable TICKWIRE_TOKEN)'
  }
}

export interface Server {
  /** The address, without a slash at its end. */
  readonly url: string
  readonly token: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Returns the server that the flags or the environment name. @throws UsageError */
export function serverOf ({ values, env }: Invocation): Server {
  const url = text(values, 'url') ?? env['TICKWIRE_URL'] ?? DEFAULT_URL
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new UsageError(`--url is an address like ${DEFAULT_URL}, not '${url}'`)
  }
  const given = readToken(text(values, 'token-file')) ?? env['TICKWIRE_TOKEN']
  const token = given === '' ? undefined : given
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return { url: url.replace(/\/+$/, ''), token, headers }
}

function readToken (file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    throw new UsageError(`--token-file: ${file} cannot be read`)
  }
}

/** Node's codes for certificates that it does not trust. */
const UNTRUSTED = /CERT|ISSUER|SIGNATURE/

/**
 * Node's words for an answer in plain HTTP where it expects TLS, and its codes for an end before an answer.
 */
const NO_TLS = /wrong.version.number|packet.length.too.long/i
const CUT = /^(UND_ERR_SOCKET|ECONNRESET|HPE_INVALID_\w+)$/

/** Explains an error of the network. */
export function unreachable ({ url }: Server, error: unknown): CommandError {
  const { cause = error } = error as { cause?: unknown }
  const code = (cause as { code?: string } | undefined)?.code
  if (code === 'ECONNREFUSED') {
    return new CommandError(`no server listens at ${url}; start one with: npx tickwire start`)
  }
  if (code !== undefined && UNTRUSTED.test(code)) {
    return new CommandError(`the certificate of ${url} is not trusted here (${code}); ` +
      'set NODE_EXTRA_CA_CERTS to a file with the certificate that signed it')
  }
  if (NO_TLS.test(`${code} ${String(cause)}`)) {
    return new CommandError(`${url} does not speak TLS; does its address begin with http://?`)
  }
  if (code !== undefined && CUT.test(code) && url.startsWith('http:')) {
    return new CommandError(`${url} ends the connection without an answer (${code}); ` +
      'does its address begin with https://?')
  }
  return new CommandError(`${url} cannot be reached: ` +
    `${code ?? (cause instanceof Error ? cause.message : String(cause))}`)
}

/** Says what to do about a refusal. */
export function advice (code: string): string {
  if (code === 'unauthorized') {
    return '; set TICKWIRE_TOKEN to a token of this server (npx tickwire token --help)'
  }
  if (code === 'forbidden') return '; the token must name it: npx tickwire token --help'
  if (code === 'too_many_subscriptions') return '; a set (quotes:*, quotes:@market/KOSPI) counts as one'
  if (code === 'unknown_symbol') return '; GET /v1/symbols lists the known symbols'
  return ''
}

/** Why a server refused a request. */
export interface Refusal {
  readonly code: ErrorCode
  readonly message: string
  readonly retryAfterMs?: number
}

/** Reads why an answer is not 200. @throws CommandError if it is not a Tickwire server's */
export function refusalOf (
  status: number, body: string, retryAfter: string | null | undefined
): Refusal {
  const said = parse(body)
  if (said === undefined || !Object.hasOwn(errorTable, said.code)) {
    throw new CommandError(`the server answered with status ${status}; ` +
      'is it a Tickwire server, and does --url have its prefix?')
  }
  return { ...said, ...(retryAfter == null ? {} : { retryAfterMs: Number(retryAfter) * 1000 }) }
}

function parse (body: string): { code: ErrorCode, message: string } | undefined {
  try {
    const { code, message } = JSON.parse(body) as { code: ErrorCode, message: string }
    return { code, message }
  } catch {
    return undefined
  }
}

/** Whether trying again can help. */
export const isPassing = (code: ErrorCode): boolean =>
  ['reconnect', 'backoff'].includes(errorTable[code].client)
