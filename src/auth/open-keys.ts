import { randomBytes } from 'node:crypto'
import { checkKeySettings, type KeySettings } from '../config.js'
import { KeySet } from './key-set.js'
import type { Keys } from './keys.js'
import { readPublicKey } from './public-key.js'

/**
 * The keys that the settings ask for; where they ask for none, a secret that nobody else knows.
 * @param onError told why a set of keys could not be had
 * @throws ConfigError
 */
export function openKeys (settings: KeySettings, onError: (error: unknown, message: string) => void): Keys {
  switch (checkKeySettings(settings)) {
    case 'JWT_SECRET': return secretKeys(settings.JWT_SECRET!)
    case 'JWT_PUBLIC_KEY': {
      const key = readPublicKey(settings.JWT_PUBLIC_KEY!)
      return { find: () => key, close () {} }
    }
    case 'JWT_JWKS_URL': return new KeySet(settings.JWT_JWKS_URL!, onError)
    case undefined: return secretKeys(randomBytes(32).toString('base64url'))
  }
}

function secretKeys (secret: string): Keys {
  return { secret, find: () => ({ algorithm: 'HS256', key: secret }), close () {} }
}
