import { randomBytes } from 'node:crypto'
import { checkKeySettings, type KeySettings } from '../config.js'
import { KeySet } from './key-set.js'
import type { Keys } from './keys.js'
import { readPublicKey } from './public-key.js'

interface KeyLog {
  warn (message: string): void
  error (details: { readonly err: unknown }, message: string): void
}

/** The keys that the settings ask for. @throws ConfigError */
export function openKeys (settings: KeySettings, log: KeyLog): Keys {
  switch (checkKeySettings(settings)) {
    case 'JWT_SECRET': return secretKeys(settings.JWT_SECRET!)
    case 'JWT_PUBLIC_KEY': {
      const key = readPublicKey(settings.JWT_PUBLIC_KEY!)
      return { find: () => key, close () {} }
    }
    case 'JWT_JWKS_URL': return new KeySet(settings.JWT_JWKS_URL!, (err, message) => { log.error({ err }, message) })
    case undefined:
      log.warn('JWT_SECRET is not set: tokens are checked with a random secret, so none made elsewhere is valid')
      return secretKeys(randomBytes(32).toString('base64url'))
  }
}

function secretKeys (secret: string): Keys {
  return { secret, find: () => ({ algorithm: 'HS256', key: secret }), close () {} }
}
