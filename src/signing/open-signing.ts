import type { Config } from '../config.js'
import { readOrderKeys } from './order-keys.js'
import { type OrderSigner, readOrderSigner } from './order-signer.js'
import { RequestSignatures } from './request-signatures.js'

type SigningSettings = Pick<
  Config, 'ORDER_SIGNING' | 'ORDER_WINDOW_MS' | 'ORDER_KEYS' | 'ORDER_SIGNING_KEY'
>

export interface Signing {
  readonly requests: RequestSignatures
  /** Absent: messages of `orders` are not signed. */
  readonly signer?: OrderSigner
}

/** Opens what verifies the requests of users, and what signs the server's answers. @throws ConfigError */
export function openSigning (settings: SigningSettings): Signing {
  const { ORDER_SIGNING, ORDER_WINDOW_MS: windowMs, ORDER_KEYS: file, ORDER_SIGNING_KEY: pem } = settings
  const keys = file === undefined ? new Map<string, never>() : readOrderKeys(file)
  return {
    requests: new RequestSignatures({ required: ORDER_SIGNING === 'required', windowMs, keys }),
    ...(pem === undefined ? {} : { signer: readOrderSigner(pem) })
  }
}
