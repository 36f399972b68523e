import { randomBytes } from 'node:crypto'
import { checkKeySettings, type KeySettings } from '../config.js'
import { KeySet } from './key-set.js'
import type { Keys } from './keys.js'
import { readPublicKey } from './public-key.js'

/**
 * Opens the keys that the settings ask for; without any, a random secret that nobody else knows.
 * @param onError receives the reason if a set of keys cannot be fetched
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
