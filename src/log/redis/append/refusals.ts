import { shownAddress } from '../masters/address.js'
import { LogSetupError } from '../../setup-error.js'
import { AtServer } from '../setup-error.js'

/** Why a Redis cannot be used: one sentence, without a password, that says what to do. */

/** Permissions for all that the log runs, beside the patterns of its keys and channels. */
export const PERMISSIONS = '+@read +@write +@scripting +@pubsub +@connection +info +time'

/** Turns an error of a connection or a command into a sentence that says what to do. */
export function cannotBeUsed (
  { url, keyPrefix }: { readonly url: string, readonly keyPrefix: string },
  error: unknown
): LogSetupError {
  if (error instanceof LogSetupError) return error
  const where = error instanceof AtServer ? `${error.where}: ` : ''
  const root = rootOf(error)
  if (root instanceof LogSetupError) return root
  if (/WRONGTYPE/.test(String(root))) return somethingElse(keyPrefix, 'one of them is of another type')
  return new LogSetupError(`REDIS_URL: ${shownAddress(url)} cannot be used: ${where}${reason(root)}`)
}

/** @param made the number of shards that the log has */
export const otherShards = (made: string): LogSetupError => new LogSetupError(
  `LOG_SHARDS: this log was made with ${made} shards, which cannot be changed; ` +
  `set LOG_SHARDS=${made}, or choose another REDIS_KEY_PREFIX`
)

/** @param found the layout of the log that is there */
export function otherLayout (keyPrefix: string, found: string, own: string): LogSetupError {
  return new LogSetupError(
    `REDIS_KEY_PREFIX: the log of '${keyPrefix}' in this Redis was written by another version of Tickwire ` +
    `(its layout is ${found}, this version's is ${own}), and this version cannot read it; choose another ` +
    'prefix, where a new log begins and clients get a reset, or stop all servers of the other version and ' +
    `delete the keys that begin with {${keyPrefix}:`
  )
}

export const somethingElse = (keyPrefix: string, what: string): LogSetupError => new LogSetupError(
  `REDIS_KEY_PREFIX: keys of the log hold something else in this Redis (${what}); ` +
  `choose another prefix than '${keyPrefix}'`
)

/** Returns the first cause of an error: clients are told less than what Redis said. */
function rootOf (error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error
}

const UNTRUSTED = 'its certificate is not trusted; name the file of its issuer in NODE_EXTRA_CA_CERTS'
const NO_TLS = 'what listens there does not speak TLS; begin the address with redis://'

/** What is wrong with an address, by the code of the error. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no Redis listens there; start one, or correct the address',
  ENOENT: 'there is no such socket; start a Redis that has it, or correct the path',
  EACCES: 'this process may not open the socket; let its user do so',
  ENOTFOUND: 'its host name is not known; correct it',
  EAI_AGAIN: 'its host name could not be looked up; correct it, or try again when the name server answers',
  EHOSTUNREACH: 'there is no way to its host; correct the address, or the network',
  ENETUNREACH: 'there is no way to its host; correct the address, or the network',
  ETIMEDOUT:
    'nothing answers there, or not in TLS (rediss://); correct the address, or let the firewall pass it',
  ECONNRESET: 'what listens there closes the connection; it is no Redis, or demands TLS (rediss://)',
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another host; give the host that the certificate names',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED
}

/** What is wrong, by the answer of a Redis or of another server. */
const answers: ReadonlyArray<readonly [answer: RegExp, reason: string]> = [
  [
    /WRONGPASS|invalid password/,
    'the user or the password is not right; they stand in the URL: redis://[user]:password@host, ' +
    'with %40 for @ and so on'
  ],
  [/NOAUTH/, 'the password is missing; it stands in the URL: redis://:password@host'],
  [/LOADING/, 'it is still loading its data; start again when it is done'],
  [/MISCONF/, 'it takes no writes because it could not save its data; see to its disk'],
  [
    /NOREPLICAS/,
    'it takes no writes because too few replicas follow it; see to them, or to its min-replicas-to-write'
  ],
  [/READONLY/, 'it is a replica, which takes no writes; give the address of its master'],
  [/CLUSTERDOWN/, 'the Redis Cluster is down; see to its nodes with redis-cli --cluster check'],
  [/\bOOM\b/, 'its memory is full; raise its maxmemory'],
  [
    /invalid DB index|DB index is out of range/,
    'it has no database of that number; correct the end of the URL'
  ],
  [/max number of clients/, 'it takes no more connections; raise its maxclients'],
  [
    /Protocol error|Unknown RESP type/,
    'what listens there is no Redis, or demands TLS (rediss://); correct the address'
  ],
  [/Command timed out|no answer/, 'what listens there does not answer; it is no Redis, or it is stuck'],
  [
    /Connection is closed/,
    'what listens there closes the connection; it is no Redis, or demands TLS (rediss://)'
  ]
]

function reason (error: unknown): string {
  const { code, message }: { code?: string, message: string } =
    error instanceof Error ? error : { message: String(error) }
  const known = reasons[code ?? ''] ?? answers.find(([answer]) => answer.test(message))?.[1]
  if (known !== undefined) return known
  const denied = /NOPERM.*'([^']+)' command/.exec(message)?.[1]
  if (denied !== undefined) {
    return `its user may not run ${denied.toUpperCase()}; ` +
      `let the user of the URL do so with ACL SETUSER and ${PERMISSIONS}`
  }
  return code ?? message
}
